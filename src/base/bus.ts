/** A typed in-process announcement board, for watchers only (UI, log). The work itself is function calls, never events. */
export class Bus<Events extends Record<string, unknown>> {
  private readonly listeners = new Map<keyof Events, Set<(payload: never) => void>>();

  /** Returns the function that ends the subscription. */
  on<K extends keyof Events>(name: K, listener: (payload: Events[K]) => void): () => void {
    const set = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, set);
    set.add(listener as (payload: never) => void);
    return () => void set.delete(listener as (payload: never) => void);
  }

  /** Calls the listeners in order of subscription. A listener must not throw. */
  emit<K extends keyof Events>(name: K, payload: Events[K]): void {
    for (const listener of this.listeners.get(name) ?? [])
      (listener as (payload: Events[K]) => void)(payload);
  }
}
