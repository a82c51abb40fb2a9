// The one error of this package. Its codes are the server's own closed set, and those of what only
// a client can see: nobody answered (`unreachable`), or the device cannot do it (`not_on_device`).

export type Source = "server" | "local" | "fallback";

export interface Details {
  hint?: string;
  field?: string;
  status?: number;
  cause?: unknown;
}

/** What went wrong: `code` to act on, the message to read, `hint` what to do next. */
export class NumenError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly field: string;
  /** Of HTTP, where a server answered; else 0. */
  readonly status: number;

  constructor(code: string, message: string, { hint = "", field = "", status = 0, cause }: Details = {}) {
    super(hint ? `${message}; ${hint}` : message, { cause });
    this.name = "NumenError";
    this.code = code;
    this.hint = hint;
    this.field = field;
    this.status = status;
  }

  /** Whether the question itself is at fault, so that nobody else could answer it either. */
  get asked(): boolean {
    return ["invalid_input", "unsupported_media", "too_large", "not_on_device"].includes(this.code);
  }
}

export const invalid = (message: string, field = "", hint = ""): NumenError =>
  new NumenError("invalid_input", message, { field, hint });

/** What a server's refusal says, as the error. */
export function refusal(status: number, body: Record<string, unknown>): NumenError {
  const said = (name: string) => (typeof body[name] === "string" ? (body[name] as string) : "");
  const message = said("error") || `the server answered with status ${status}`;
  return new NumenError(said("code") || "unknown", message, {
    hint: said("hint"),
    field: said("field"),
    status,
  });
}

export function wrapped(error: unknown, code = "internal"): NumenError {
  if (error instanceof NumenError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new NumenError(code, message, { cause: error });
}
