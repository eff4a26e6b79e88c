/** What the parts of the SDK share: the event as the collector reads it, and the public API. */

export type Props = Record<string, unknown>;

/** Fields of the collector's event that a caller may set; the rest is filled in. */
export interface Fields {
  element?: string;
  x?: number;
  y?: number;
  url?: string;
  message?: string;
  kind?: "clickstream" | "error" | "checkout";
  event_id?: string;
}

/** `anonymous`: no id outlives the tab. `granted`: a visitor id is kept. `denied`: nothing is collected. `pending`: kept in memory until one of the others is said. */
export type Consent = "anonymous" | "granted" | "denied" | "pending";

export interface Product {
  product_id?: string;
  sku?: string;
  name?: string;
  category?: string;
  brand?: string;
  variant?: string;
  price?: number;
  quantity?: number;
}

/** Money in the currency's main unit, as in Segment's e-commerce spec. */
export interface Money {
  value?: number;
  total?: number;
  shipping?: number;
  tax?: number;
  discount?: number;
  currency?: string;
  coupon?: string;
}

export interface Cart extends Money {
  cart_id?: string;
  products?: Product[];
}
export interface Checkout extends Cart {
  order_id?: string;
  checkout_id?: string;
}
export interface CheckoutStep extends Checkout {
  step?: number | string;
  account_type?: "guest checkout" | "existing user";
  shipping_method?: string;
  payment_method?: string;
}
export interface Coupon extends Money {
  coupon_id?: string;
  reason?: string;
}
export interface PaymentFailure extends CheckoutStep {
  error_type?: "soft" | "hard";
  error_code?: string;
  resolution?: string;
}

/** Something that got in the visitor's way, told to `on("friction", ..)` at the moment it is seen. */
export interface Friction {
  signal: string;
  element: string;
  page: string;
}

export interface Snag {
  version: string;
  track(type: string, props?: Props, fields?: Fields): void;
  page(props?: Props): void;
  identify(userId: string, traits?: Props): void;
  consent(state: "granted" | "denied" | "anonymous"): void;
  survey(id: string, answer: string | number, props?: Props): void;
  on(what: "friction", listener: (friction: Friction) => void): () => void;
  /** For the site's own server, which sends them as X-Snag-Session-Id and X-Snag-Visitor-Id; empty after "denied". */
  ids(): { session_id?: string; visitor_id?: string };
  flush(): Promise<void>;
  productViewed(product: Product & Money): void;
  productAdded(product: Product & Money): void;
  productRemoved(product: Product & Money): void;
  cartViewed(cart: Cart): void;
  checkoutStarted(checkout: Checkout): void;
  checkoutStepViewed(step: CheckoutStep): void;
  checkoutStepCompleted(step: CheckoutStep): void;
  paymentInfoEntered(step: CheckoutStep): void;
  paymentFailed(failure: PaymentFailure): void;
  couponEntered(coupon: Coupon): void;
  couponApplied(coupon: Coupon): void;
  couponRemoved(coupon: Coupon): void;
  couponDenied(coupon: Coupon): void;
  orderCompleted(order: Checkout): void;
  orderRefunded(order: Checkout): void;
  productsSearched(search: { query: string; results?: number }): void;
}

/** Gets the control that a person clicked, what `click` says of it, and where: 0, 0 for one made by the keyboard. */
export type ClickListener = (control: Element, props: Props, x: number, y: number) => void;

/** What the second file gets from the first. */
export interface Core {
  /** Where events go: requests to it are not the page's. */
  endpoint: string;
  emit(type: string, props?: Props, fields?: Fields): void;
  friction(signal: string, element: string): void;
  select(element: Element): string;
  /** The control around a click's target, or null where clicks are not to be looked at. */
  control(target: EventTarget | null): Element | null;
  onClick(listener: ClickListener): void;
  /** Called before the page or the route is left. */
  onLeave(listener: () => void): void;
}
