// RudderStack's SDK for Node: gzip sent as a form, the first call in a request of its own, traits twice.
'use strict';

const Analytics = require('@rudderstack/rudder-sdk-node');
const { calls, send, finish } = require('./calls.cjs');

async function main() {
  const five = calls('rudder-node');
  const analytics = new Analytics(five.writeKey, { dataPlaneUrl: five.host });
  const errors = [];
  send(analytics, five, (error) => error && errors.push(error));
  await analytics.flush();
  finish(errors);
}

main();
