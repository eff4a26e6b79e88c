/** Web storage that may be absent, full or forbidden: then things live as long as the page. */

type Store = "localStorage" | "sessionStorage";

function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    // the copy in memory remains
  }
}

export const read = (store: Store, name: string) => attempt(() => window[store].getItem(name));

export const write = (store: Store, name: string, value: string) => attempt(() => window[store].setItem(name, value));

export const remove = (store: Store, name: string) => attempt(() => window[store].removeItem(name));

/** All names in localStorage that begin with `prefix`. */
export const names = (prefix: string) =>
  attempt(() => Object.keys(localStorage).filter((name) => name.startsWith(prefix))) ?? [];
