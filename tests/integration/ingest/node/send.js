// Sends `many` demo requests, a page and an identify through one client: node send.js <client> <url> <key> <many>
// Prints what the client says went wrong, as JSON.
const [client, url, key, many] = process.argv.slice(2);
const wrong = [];
const note = (error) => wrong.push(String((error && (error.message || error.reason || error.code)) || error));
const numbers = [...Array(Number(many)).keys()];
const uuid = "018f6f2e-9a3b-7c4d-8e5f-0123456789ab";

async function segment() {
  const { Analytics } = require("@segment/analytics-node");
  const analytics = new Analytics({ writeKey: key, host: url, flushAt: numbers.length + 2, flushInterval: 5000, maxRetries: 3 });
  analytics.on("error", note);
  analytics.identify({ userId: "u-1", traits: { email: "taro@hinode-soft.co.jp", title: "部長" } });
  analytics.page({ anonymousId: "a-1", category: "Docs", name: "Pricing", properties: { url: "https://hinode.example/pricing" } });
  for (const number of numbers) {
    analytics.track({ userId: "u-1", event: "Demo Requested", properties: { number, form: "デモ" } });
  }
  await analytics.closeAndFlush({ timeout: 20000 });
}

async function rudder() {
  const Rudder = require("@rudderstack/rudder-sdk-node");
  const analytics = new Rudder(key, { dataPlaneUrl: url, flushAt: numbers.length + 2, flushInterval: 5000, logLevel: "none", errorHandler: note });
  analytics.identify({ userId: "u-1", traits: { email: "taro@hinode-soft.co.jp", title: "部長" } });
  analytics.page({ anonymousId: "a-1", name: "Pricing", properties: { url: "https://hinode.example/pricing" } });
  for (const number of numbers) {
    analytics.track({ userId: "u-1", event: "Demo Requested", properties: { number, form: "デモ" } });
  }
  await new Promise((done) => analytics.flush(done)).catch(note);
}

async function posthog() {
  const { PostHog } = require("posthog-node");
  const client = new PostHog(key, { host: url, flushAt: numbers.length + 2, flushInterval: 5000, fetchRetryCount: 3, fetchRetryDelay: 100 });
  client.on("error", note);
  client.identify({ distinctId: "u-1", properties: { $set: { title: "部長" }, $anon_distinct_id: uuid } });
  client.capture({ distinctId: uuid, event: "$pageview", properties: { $current_url: "https://hinode.example/pricing" } });
  for (const number of numbers) {
    client.capture({ distinctId: "u-1", event: "Demo Requested", properties: { number, form: "デモ" } });
  }
  await client.shutdown(20000);
}

async function snowplow(method) {
  const { newTracker, buildPageView, buildSelfDescribingEvent, buildStructEvent } = require("@snowplow/node-tracker");
  const at = new URL(url);
  const ended = new Promise((done) => {
    const sent = { count: 0 };
    const count = (events) => ((sent.count += events.length) >= numbers.length + 2 ? done() : undefined);
    const tracker = newTracker(
      { namespace: "baton", appId: key, encodeBase64: false },
      {
        endpoint: at.hostname,
        port: Number(at.port),
        protocol: "http",
        eventMethod: method,
        bufferSize: numbers.length + 2,
        onRequestSuccess: count,
        onRequestFailure: (failure) => { note(`${failure.status} willRetry=${failure.willRetry}`); count(failure.events); },
      },
    );
    tracker.setUserId("u-1");
    tracker.setDomainUserId("browser");
    tracker.track(buildPageView({ pageUrl: "https://hinode.example/pricing", pageTitle: "料金" }));
    tracker.track(buildStructEvent({ category: "form", action: "Demo Requested" }));
    for (const number of numbers) {
      const data = { number, form: "デモ" };
      tracker.track(buildSelfDescribingEvent({ event: { schema: "iglu:jp.hinode/demo_requested/jsonschema/1-0-0", data } }));
    }
    tracker.flush();
  });
  await ended;
}

const clients = { segment, rudder, posthog, snowplow: () => snowplow("post"), snowplow_get: () => snowplow("get") };
process.on("exit", () => console.log(JSON.stringify(wrong))); // some stop without a word when they are refused
clients[client]().catch(note).then(() => process.exit(0));
