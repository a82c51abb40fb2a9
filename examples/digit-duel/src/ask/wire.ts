// The wire to the server, which can be cut for real: while it is, nothing is sent and no connection
// stays. It is what the client is given in place of the browser's own fetch and WebSocket.

export class Wire {
  private isCut = false;
  private readonly open = new Set<WebSocket>();

  /** Whether somebody cut it. */
  get cut(): boolean {
    return this.isCut;
  }

  set cut(cut: boolean) {
    this.isCut = cut;
    if (cut) for (const socket of this.open) socket.close();
  }

  readonly fetch: typeof fetch = (...given) => {
    return this.isCut ? Promise.reject(new TypeError("the wire is cut")) : fetch(...given);
  };

  /** A WebSocket of this wire; while that is cut, one that is closed from the start. */
  get webSocket(): typeof WebSocket {
    const { open } = this;
    const isCut = () => this.isCut;
    const opened = function (...given: ConstructorParameters<typeof WebSocket>) {
      if (isCut()) return new Severed();
      const socket = new WebSocket(...given);
      open.add(socket);
      socket.addEventListener("close", () => open.delete(socket));
      return socket;
    };
    return opened as unknown as typeof WebSocket;
  }
}

/** What a WebSocket is like that could not be opened. */
class Severed {
  readonly readyState = WebSocket.CLOSED;
  onclose: (() => void) | null = null;

  constructor() {
    setTimeout(() => this.onclose?.());
  }

  close(): void {}
}
