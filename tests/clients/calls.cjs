// The five calls of a Node client, read from calls.json, and where to send them.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** The calls with this client's name in them, and `host` and `writeKey` of the running service. */
function calls(name) {
  const text = fs.readFileSync(path.join(__dirname, 'calls.json'), 'utf8').replaceAll('NAME', name);
  return { ...JSON.parse(text), host: required('INTERLINE_URL'), writeKey: required('INTERLINE_WRITE_KEY') };
}

/** Makes the five calls, on whose form the SDKs for Node agree. `done` gets the error of each, or nothing. */
function send(analytics, calls, done) {
  const { userId, groupId, groupTraits } = calls;
  const traits = { ...groupTraits, createdAt: new Date(groupTraits.createdAt) };
  analytics.identify({ userId, traits: calls.traits }, done);
  analytics.group({ userId, groupId, traits }, done);
  analytics.track({ userId, event: calls.event, properties: calls.properties }, done);
  analytics.page({ userId, name: calls.page, properties: calls.pageProperties }, done);
  analytics.alias({ userId, previousId: calls.anonymousId }, done);
}

/** Ends the process: 0 without errors, else 1 and all of them on stderr. */
function finish(errors) {
  for (const error of errors) console.error(error);
  process.exitCode = errors.length > 0 ? 1 : 0;
}

function required(variable) {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run this client through run.py`);
  return value;
}

module.exports = { calls, send, finish, required };
