/**
 * The front end of a set-up for a client of the gateway: the program runs here, and the client is given one step after the other and
 * answers each. A step stays what it is until it is answered, so a page that is loaded again goes on where it was.
 */
import { AppError, toAppError } from "../base/errors.ts";
import type { Choice, Guide, Question, Shown } from "./guide.ts";

export type StepKind =
  "note" | "select" | "text" | "confirm" | "multiselect" | "progress" | "action";

/** As the methods `wizard.*` give it. A sensitive step never has an `initialValue`, and its answer is given to nobody. */
export type Step = {
  id: string;
  type: StepKind;
  title?: string;
  message?: string;
  options?: Choice[];
  initialValue?: unknown;
  placeholder?: string;
  sensitive?: boolean;
  /** The program itself does what the step tells of. */
  executor?: "gateway";
  /** Of a progress: a picture to scan, and a code to type. */
  qr?: string;
  code?: string;
};

export type Status = "running" | "done" | "cancelled" | "error";
export type Failure = { message: string; hint?: string };
/** What the client is told after each call. */
export type Told = { done: boolean; status: Status; step?: Step; error?: Failure };

/** How long a client that has seen a progress is kept waiting for news, in ms. */
const NEWS_MS = 25_000;
/** Longest text that is taken, in characters. */
const MAX_TEXT = 8_192;
/** Steps whose answers may come a second time, from a client that lost its connection. */
const REMEMBERED = 50;

type Waiting = {
  step: Step;
  /** Takes the value. Gives why it cannot be taken. */
  answer(value: unknown): string | undefined;
};

export class WizardSession {
  readonly id = crypto.randomUUID();
  private state: Status = "running";
  private failure: Failure | undefined;
  private current: Waiting | undefined;
  private count = 0;
  private readonly answered: string[] = [];
  private readonly leaving = new AbortController();
  private readonly watchers = new Set<() => void>();
  /** Resolves when the program has ended. */
  readonly over: Promise<void>;

  /** Starts the program at once. */
  constructor(program: (guide: Guide) => Promise<boolean>) {
    this.over = this.run(program);
  }

  get status(): Status {
    return this.state;
  }

  /** The present state; a client that has just come sees the present step. Waits for the first step only. */
  async look(): Promise<Told> {
    await this.until(() => this.current !== undefined || this.state !== "running");
    return this.told();
  }

  /**
   * Answers a step and gives the next one. A progress is answered by having seen it; then the next news are waited for. Throws
   * bad_request for a value that cannot be taken: the step stays.
   */
  async next(answer: { stepId: string; value?: unknown }): Promise<Told> {
    const { current } = this;
    if (current?.step.id === answer.stepId) {
      const problem = current.answer(answer.value);
      if (problem !== undefined)
        throw new AppError("bad_request", problem, { details: { stepId: answer.stepId } });
    } else if (this.state === "running" && !this.answered.includes(answer.stepId))
      throw new AppError("bad_request", "unknown step", {
        hint: "Ask for the present step with wizard.next without an answer.",
      });
    const moved = () =>
      this.state !== "running" || (!!this.current && this.current.step.id !== answer.stepId);
    await this.until(moved, current?.step.type === "progress" ? NEWS_MS : undefined);
    return this.told();
  }

  /** Ends it; nothing is asked any more. What has been written already stays. */
  async cancel(): Promise<void> {
    if (this.state !== "running") return;
    this.leaving.abort();
    await this.over;
  }

  told(): Told {
    const { state: status, current, failure } = this;
    return {
      done: status !== "running",
      status,
      ...(status === "running" && current && { step: current.step }),
      ...(failure && { error: failure }),
    };
  }

  private async run(program: (guide: Guide) => Promise<boolean>): Promise<void> {
    try {
      this.state = (await program(this.guide())) ? "done" : "cancelled";
    } catch (cause) {
      const { code, message, hint } = toAppError(cause);
      this.state = code === "aborted" ? "cancelled" : "error";
      this.failure = { message, ...(hint && { hint }) };
    }
    this.current = undefined;
    this.wake();
  }

  private wake(): void {
    for (const look of [...this.watchers]) look();
  }

  private async until(test: () => boolean, limitMs?: number): Promise<void> {
    if (test()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (test()) resolve();
    };
    this.watchers.add(look);
    const timer = limitMs === undefined ? undefined : setTimeout(resolve, limitMs);
    await promise;
    clearTimeout(timer);
    this.watchers.delete(look);
  }

  private put(waiting: Omit<Waiting, "step"> & { step: Omit<Step, "id"> }): void {
    if (this.current) this.answered.push(this.current.step.id);
    if (this.answered.length > REMEMBERED) this.answered.shift();
    const step = { id: `${this.id.slice(0, 8)}-${++this.count}`, ...waiting.step };
    this.current = { step, answer: waiting.answer };
    this.wake();
  }

  /** Shows a step until `read` takes a value: it gives the value, or why there is none. */
  private ask<T>(
    step: Omit<Step, "id">,
    read: (value: unknown) => { value: T } | { problem: string },
  ): Promise<T> {
    const { signal } = this.leaving;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const leave = () => reject(new AppError("aborted", "The set-up was left."));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    this.put({
      step,
      answer: (value) => {
        const found = read(value);
        if ("problem" in found) return found.problem;
        const { current } = this;
        if (current) this.answered.push(current.step.id);
        this.current = undefined;
        resolve(found.value);
        return undefined;
      },
    });
    return promise.finally(() => signal.removeEventListener("abort", leave));
  }

  private guide(): Guide {
    const { signal } = this.leaving;
    const typed = (
      { message, about }: Question,
      more: Partial<Step>,
      check: ((text: string) => string | undefined) | undefined,
      initial = "",
    ) =>
      this.ask<string>({ type: "text", ...words(message, about), ...more }, (value) => {
        if (value !== undefined && value !== null && typeof value !== "string")
          return { problem: "A text is wanted." };
        const text = value?.trim() || initial;
        if (text.length > MAX_TEXT) return { problem: "That is too long." };
        const problem = check?.(text);
        return problem === undefined ? { value: text } : { problem };
      });
    return {
      signal,
      note: (message, title) =>
        this.ask({ type: "note", message, ...(title && { title }) }, () => ({ value: undefined })),
      confirm: ({ message, about, initial }) =>
        this.ask<boolean>(
          { type: "confirm", ...words(message, about), initialValue: initial },
          (value) =>
            typeof value === "boolean" ? { value } : { problem: "Answer with true or false." },
        ),
      select: ({ message, about, options, initial }) =>
        this.ask<string>(
          {
            type: "select",
            ...words(message, about),
            options: [...options],
            initialValue: initial ?? options[0]?.value,
          },
          (value) =>
            typeof value === "string" && options.some((option) => option.value === value)
              ? { value }
              : { problem: "Choose one of the options." },
        ),
      multiselect: ({ message, about, options, initial }) =>
        this.ask<string[]>(
          {
            type: "multiselect",
            ...words(message, about),
            options: [...options],
            initialValue: [...initial],
          },
          (value) => {
            const chosen: unknown[] = Array.isArray(value) ? value : [value];
            const known = options.map((option) => option.value);
            return chosen.every((each) => known.includes(each as string))
              ? { value: known.filter((each) => chosen.includes(each)) }
              : { problem: "Choose from the options." };
          },
        ),
      text: ({ initial, placeholder, check, ...question }) =>
        typed(
          question,
          {
            ...(initial !== undefined && { initialValue: initial }),
            ...(placeholder && { placeholder }),
          },
          check,
          initial,
        ),
      secret: ({ placeholder, check, ...question }) =>
        typed(question, { sensitive: true, ...(placeholder && { placeholder }) }, check),
      progress: (message, work) => this.progress(message, work),
    };
  }

  private async progress<T>(
    message: string,
    work: (show: (step: Shown) => void) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.leaving;
    const show = ({ message: text, qr, code }: Shown) => {
      if (signal.aborted) return;
      this.put({
        step: {
          type: "progress",
          message: text,
          executor: "gateway",
          ...(qr && { qr }),
          ...(code && { code }),
        },
        // Having seen it is all there is to say.
        answer: () => undefined,
      });
    };
    const { promise, reject } = Promise.withResolvers<never>();
    const leave = () => reject(new AppError("aborted", "The set-up was left."));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    show({ message });
    try {
      return await Promise.race([work(show), promise]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }
}

/** The question is the title; what has to be known for it is the message. Without that the question is the message. */
const words = (message: string, about: string | undefined): Pick<Step, "title" | "message"> =>
  about ? { title: message, message: about } : { message };
