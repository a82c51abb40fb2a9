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

  /** A WebSocket of this wire. */
  get webSocket(): typeof WebSocket {
    const { open } = this;
    const isCut = () => this.isCut;
    return class extends WebSocket {
      constructor(...given: ConstructorParameters<typeof WebSocket>) {
        super(...given);
        open.add(this);
        this.addEventListener("close", () => open.delete(this));
        if (isCut()) this.close();
      }
    };
  }
}
