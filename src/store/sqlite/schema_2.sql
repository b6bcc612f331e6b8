-- Version 2. The open deliveries of one destination, in order, without reading those of the others.

CREATE INDEX open_by_destination ON open_deliveries (destination);
