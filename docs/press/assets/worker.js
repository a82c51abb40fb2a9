/* A browser lets no page that was opened from disk start a worker. The search needs one, so there a
   hidden frame stands in for it: it runs the same script and passes messages on. */
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      const script = String(url).replace(/"/g, "%22");
      this.frame.srcdoc = `<script>
        var postMessage = (data) => parent.postMessage({ fromWorker: "${script}", data }, "*");
        var importScripts = (...urls) => urls.reduce((before, next) => before.then(() =>
          new Promise((done, fail) => {
            const script = document.createElement("script");
            Object.assign(script, { src: next, onload: done, onerror: fail });
            document.body.append(script);
          })), Promise.resolve());
      <\/script><body><script src="${script}"><\/script>`;
      this.frame.onload = () => {
        const waiting = this.waiting;
        this.waiting = null;
        waiting.forEach((data) => this.deliver(data));
      };
      addEventListener("message", (event) => {
        if (event.source !== this.frame.contentWindow || !event.data?.fromWorker) return;
        const message = new MessageEvent("message", { data: event.data.data });
        this.onmessage?.(message);
        this.dispatchEvent(message);
      });
      if (document.body) document.body.append(this.frame);
      else addEventListener("DOMContentLoaded", () => document.body.append(this.frame));
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.deliver(data);
    }
    deliver(data) {
      const { contentWindow } = this.frame;
      const message = new contentWindow.MessageEvent("message", { data });
      contentWindow.dispatchEvent(message);
    }
    terminate() {
      this.frame.remove();
    }
  };
