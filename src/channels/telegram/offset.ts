/** The key of the account's state: the first update that is still to be fetched. Apart, so that reading it loads no library. */
export const OFFSET = "offset";
