// Segment's SDK for Node: one JSON batch, the write key as Basic user and in the body.
'use strict';

const { Analytics } = require('@segment/analytics-node');
const { calls, send, finish } = require('./calls.cjs');

async function main() {
  const five = calls('segment-node');
  const analytics = new Analytics({ host: five.host, writeKey: five.writeKey });
  const errors = [];
  analytics.on('error', (error) => errors.push(error));
  send(analytics, five, (error) => error && errors.push(error));
  await analytics.closeAndFlush({ timeout: 20_000 });
  finish(errors);
}

main();
