/** The second file, loaded when the page is idle: what needs observers and costs bytes. */

import { watchDead } from "./friction/dead";
import { watchForms } from "./friction/forms";
import { watchRage } from "./friction/rage";
import { watchScroll } from "./friction/scroll";
import { watchThrash } from "./friction/thrash";
import { watchVitals } from "./friction/vitals";
import type { Core } from "./types";

const parts = [watchDead, watchForms, watchRage, watchScroll, watchThrash, watchVitals];

(window as unknown as { snag: { push(plugin: (core: Core) => void): void } }).snag.push((core) => {
  for (const part of parts) {
    try {
      part(core);
    } catch (error) {
      console.warn("snag", error); // one that this browser cannot do must not take the others with it
    }
  }
});
