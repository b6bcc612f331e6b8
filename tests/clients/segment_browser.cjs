// Segment's SDK for browsers, in headless Chromium: settings document, preflights, one text/plain request a call.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { chromium } = require('playwright-core');
const { calls, finish, required } = require('./calls.cjs');

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-proxy-server',
  // Some of the browser's own services (sign-in, updates) heed none of the above: their hosts get no address.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];
/** How long the browser may take to start; on a busy machine that has little to do with what is tested here. */
const START_MS = 180_000;
const BUNDLE = path.dirname(require.resolve('@segment/analytics-next/dist/umd/index.js'));
const PAGE = `<!doctype html><title>Shop</title><link rel="icon" href="data:,"><script src="/index.js"></script>`;

async function main() {
  const five = calls('segment-browser');
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'segment-browser-'));
  const shop = await serve();
  const origin = `http://127.0.0.1:${shop.address().port}`;
  const errors = [];
  try {
    const log = path.join(profile, 'network.json');
    await browse(profile, log, async (page) => {
      const replies = watch(page, errors);
      await page.goto(origin);
      errors.push(...(await page.evaluate(makeCalls, five)));
      errors.push(...missing(replies, five.host));
    });
    errors.push(...strangers(log, origin, five.host));
  } finally {
    shop.close();
    shop.closeAllConnections();
    fs.rmSync(profile, { recursive: true, force: true });
  }
  finish(errors);
}

/** Serves a page, and the SDK's own browser build beside it, on a free port of loopback. */
function serve() {
  const server = http.createServer((request, response) => {
    const name = path.basename(new URL(request.url, 'http://shop').pathname);
    const file = path.join(BUNDLE, name);
    if (name === '') return response.setHeader('content-type', 'text/html').end(PAGE);
    if (!fs.existsSync(file)) return response.writeHead(404).end();
    response.setHeader('content-type', 'text/javascript').end(fs.readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Opens a page in a browser with a fresh profile that keeps a log of its network, and closes both after `use`. */
async function browse(profile, log, use) {
  const context = await chromium.launchPersistentContext(path.join(profile, 'profile'), {
    executablePath: required('CHROMIUM'),
    headless: true,
    chromiumSandbox: false,
    args: [...FLAGS, `--log-net-log=${log}`],
    timeout: START_MS,
  });
  try {
    await use(context.pages()[0] ?? (await context.newPage()));
  } finally {
    await context.close();
  }
}

/** Collects what the page complains about, and returns the list of replies it is given. */
function watch(page, errors) {
  const replies = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => errors.push(`page: ${error}`));
  page.on('requestfailed', (request) => errors.push(`no reply: ${request.url()} ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    replies.push(`${response.request().method()} ${response.status()} ${response.url()}`);
  });
  return replies;
}

/** Runs in the page: what a shop's own script would do. Returns the errors the SDK reported. */
async function makeCalls(five) {
  // The one host to change: the settings document that it serves names the host to send to.
  const analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: five.writeKey, cdnURL: five.host });
  const traits = { ...five.groupTraits, createdAt: new Date(five.groupTraits.createdAt) };
  const contexts = [
    await analytics.identify(five.userId, five.traits),
    await analytics.group(five.groupId, traits),
    await analytics.track(five.event, five.properties),
    await analytics.page(five.page, five.pageProperties),
    await analytics.alias(five.userId, five.anonymousId),
  ];
  return contexts
    .filter((context) => context.failedDelivery())
    .map((context) => `${context.event.type}: ${context.failedDelivery().reason}`);
}

/** The requests that were not answered with 200 exactly once. */
function missing(replies, host) {
  const wanted = ['i', 'g', 't', 'p', 'a'].map((letter) => `POST 200 ${host}/v1/${letter}`);
  const amiss = wanted.filter((one) => replies.filter((reply) => reply === one).length !== 1);
  if (amiss.length === 0) return [];
  return [...amiss.map((one) => `wanted once: ${one}`), `the page had:\n  ${replies.join('\n  ')}`];
}

/** What the browser's own network log shows the page to have asked, or anything to have reached, beside these two. */
function strangers(log, page, service) {
  const { constants, events } = JSON.parse(fs.readFileSync(log, 'utf8'));
  const { URL_REQUEST_START_JOB, TCP_CONNECT_ATTEMPT } = constants.logEventTypes;
  const of = (type) => events.filter((event) => event.type === type && event.params).map(({ params }) => params);
  const asked = of(URL_REQUEST_START_JOB).filter(({ initiator }) => initiator === page);
  const reached = of(TCP_CONNECT_ATTEMPT).map(({ address }) => address);
  if (!asked.some(({ url }) => url.startsWith(service)) || reached.length === 0) {
    return [`the network log shows no request of the page to ${service}`];
  }
  const own = [page, service].map((origin) => new URL(origin).host);
  return [
    ...asked.filter(({ url }) => !own.includes(new URL(url).host)).map(({ url }) => `the page asked elsewhere: ${url}`),
    ...reached.filter((address) => !own.includes(address)).map((address) => `a connection went elsewhere: ${address}`),
  ];
}

main();
