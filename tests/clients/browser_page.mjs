// A page that uses Snowplow's tracker with its e-commerce plugin, Sentry and web-vitals, told nothing but our address.
import { SnowplowEcommercePlugin, trackAddToCart, trackCheckoutStep, trackTransaction } from "@snowplow/browser-plugin-snowplow-ecommerce";
import { flushBuffer, newTracker, trackPageView } from "@snowplow/browser-tracker";
import * as Sentry from "@sentry/browser";
import { onCLS, onFCP, onLCP, onTTFB } from "web-vitals";

const { address, key, rounds } = Object.fromEntries(new URLSearchParams(location.search));
const sent = { snowplow: [], sentry: [], vitals: [], done: false };
Object.assign(window, { sent, flushBuffer });

const remember = { afterTrack: ({ eid }) => sent.snowplow.push(eid) };
newTracker("sp", address, { appId: key, plugins: [SnowplowEcommercePlugin(), remember] });
Sentry.init({ dsn: `${address.replace("://", `://${key}@`)}/1`, release: "shop@1.0.0", environment: "test" });

[onCLS, onFCP, onLCP, onTTFB].forEach((on) =>
  on((metric) => {
    sent.vitals.push(`${metric.id}:${metric.value}`);
    navigator.sendBeacon(`${address}/v1/vitals?writeKey=${key}`, JSON.stringify(metric));
  }),
);

const money = { currency: "EUR", payment_method: "card" };
for (let round = 0; round < Number(rounds); round++) {
  trackPageView();
  trackAddToCart({ total_value: 30.5, currency: "EUR", products: [{ id: "p1", price: 30.5, currency: "EUR" }] });
  trackCheckoutStep({ step: 1 });
  trackCheckoutStep({ step: 2, payment_method: "card" });
  trackTransaction({ transaction_id: `o${round}`, revenue: 30.5, ...money });
  sent.sentry.push(Sentry.captureException(new RangeError(`the cart of round ${round} is empty`)));
  await new Promise((resolve) => setTimeout(resolve, 100));
}
sent.done = true;
