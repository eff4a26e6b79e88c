/** The typed API as a site's author meets it; `npm run types` checks it. A line that must not compile says so above it. */

import type { Friction, Snag } from "../src/types";

declare const snag: Snag;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

// Segment's names of a shop's events, and what is Snag's own.
type Commerce =
  | "productViewed" | "productAdded" | "productRemoved" | "cartViewed" | "checkoutStarted" | "checkoutStepViewed"
  | "checkoutStepCompleted" | "paymentInfoEntered" | "paymentFailed" | "couponEntered" | "couponApplied"
  | "couponRemoved" | "couponDenied" | "orderCompleted" | "orderRefunded" | "productsSearched";
type Own = "version" | "track" | "page" | "identify" | "consent" | "survey" | "on" | "ids" | "flush";
holds<Equal<keyof Snag, Commerce | Own>>();

const product = { product_id: "p1", sku: "m-1", name: "Mug", category: "kitchen", brand: "Potter", variant: "blue", price: 12.5, quantity: 2 };
const money = { value: 25, total: 29.9, shipping: 4.9, tax: 4.77, discount: 2.5, currency: "EUR", coupon: "SAVE10" };
const step = { checkout_id: "c1", order_id: "o1", cart_id: "k1", products: [product], ...money };
snag.productViewed({ ...product, ...money });
snag.productAdded({ ...product, ...money });
snag.productRemoved({ ...product, ...money });
snag.cartViewed({ cart_id: "k1", products: [product], ...money });
snag.checkoutStarted(step);
snag.checkoutStepViewed({ ...step, step: 1, account_type: "guest checkout" });
snag.checkoutStepCompleted({ ...step, step: "shipping", account_type: "existing user", shipping_method: "express" });
snag.paymentInfoEntered({ ...step, payment_method: "card" });
snag.paymentFailed({ ...step, error_type: "soft", error_code: "insufficient_funds", resolution: "other card" });
snag.couponEntered({ coupon_id: "SAVE10" });
snag.couponApplied({ coupon_id: "SAVE10", discount: 2.5 });
snag.couponRemoved({ coupon_id: "SAVE10" });
snag.couponDenied({ coupon_id: "SAVE10", reason: "expired" });
snag.orderCompleted(step);
snag.orderRefunded({ order_id: "o1", ...money });
snag.productsSearched({ query: "mug", results: 0 });
snag.track("wishlist_shared", { items: 3 }, { element: "button#share" });
snag.identify("u-1", { plan: "gold" });
snag.survey("why-not", 4, { text: "too dear" });
snag.page({ layout: "b" });
const off: () => void = snag.on("friction", ({ signal, element, page }: Friction) => console.log(signal, element, page));
off();
holds<Equal<ReturnType<Snag["ids"]>, { session_id?: string; visitor_id?: string }>>();
holds<Equal<Parameters<Snag["consent"]>[0], "granted" | "denied" | "anonymous">>();
holds<Equal<ReturnType<Snag["flush"]>, Promise<void>>>();

// @ts-expect-error money is a number
snag.orderCompleted({ value: "25" });
// @ts-expect-error no such property: `revenue` of older specs is `total` here
snag.orderCompleted({ revenue: 25 });
// @ts-expect-error a payment fails softly or hard
snag.paymentFailed({ error_type: "network" });
// @ts-expect-error Snowplow's two values
snag.checkoutStepViewed({ account_type: "guest" });
// @ts-expect-error a product's quantity is a number
snag.cartViewed({ products: [{ quantity: "2" }] });
// @ts-expect-error what was searched for is the point
snag.productsSearched({ results: 3 });
// @ts-expect-error a coupon has no such name here
snag.couponApplied({ code: "SAVE10" });
// @ts-expect-error "pending" is what a page is before it says anything
snag.consent("pending");
// @ts-expect-error there is one thing to listen to
snag.on("click", () => {});
// @ts-expect-error an answer is a text or a number
snag.survey("why-not", true);
// @ts-expect-error an id is a text
snag.identify(17);
// @ts-expect-error no such call
snag.orderCancelled({ order_id: "o1" });
