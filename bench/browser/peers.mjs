// Builds one script a peer, each with everything it can tell of clicks and vitals switched on; usage: node peers.mjs OUT UMAMI
// UMAMI is the unpacked package "umami", which holds its tracker as a source file.
import { build } from "esbuild";

const peers = {
  plausible: `
    import { init } from "@plausible-analytics/tracker";
    init({ domain: "shop.example", endpoint: "/take", captureOnLocalhost: true, outboundLinks: true, fileDownloads: true,
           formSubmissions: true, logging: false });`,
  "web-vitals": `
    import { onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";
    for (const on of [onCLS, onFCP, onINP, onLCP, onTTFB])
      on((metric) => navigator.sendBeacon("/take", JSON.stringify(metric)));`,
  snowplow: `
    import { newTracker, trackPageView, enableActivityTracking } from "@snowplow/browser-tracker";
    import { LinkClickTrackingPlugin, enableLinkClickTracking } from "@snowplow/browser-plugin-link-click-tracking";
    newTracker("sp", location.origin, { appId: "shop", plugins: [LinkClickTrackingPlugin()] });
    enableActivityTracking({ minimumVisitLength: 5, heartbeatDelay: 5 });
    enableLinkClickTracking();
    trackPageView();`,
  umami: `import ${JSON.stringify(`${process.argv[3]}/src/tracker/index.js`)};`,
};

for (const [name, contents] of Object.entries(peers)) {
  await build({
    stdin: { contents, resolveDir: import.meta.dirname ?? new URL(".", import.meta.url).pathname },
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2020",
    legalComments: "none",
    outfile: `${process.argv[2]}/${name}.js`,
  });
}
