// Customer.io's SDK for Node: a batch with neither `sentAt` nor write key in the body.
'use strict';

const { Analytics } = require('@customerio/cdp-analytics-node');
const { calls, send, finish } = require('./calls.cjs');

async function main() {
  const five = calls('customerio-node');
  const analytics = new Analytics({ host: five.host, writeKey: five.writeKey });
  const errors = [];
  analytics.on('error', (error) => errors.push(error));
  send(analytics, five, (error) => error && errors.push(error));
  await analytics.closeAndFlush({ timeout: 20_000 });
  finish(errors);
}

main();
