/** How the keys of a link are called in the account's state. Apart from the vault, so that an import loads no library. */
const KEY = "key/";

export const keyName = (type: string, id: string): string => `${KEY}${type}/${id}`;
