// Browsers start no workers for pages that are opened from disk. There the search runs in a hidden frame instead,
// which takes and gives messages as a worker does. On a server the real Worker stays.
if (location.protocol === "file:") {
  const inside = `
    self.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done, failed) => {
      const script = document.createElement("script")
      script.onload = done
      script.onerror = failed
      script.src = url
      document.head.append(script)
    })), Promise.resolve())
    self.postMessage = data => parent.postMessage({ frame: self.name, data }, "*")
  `
  let count = 0
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const name = `search-${count++}`
      this.onmessage = null
      this.frame = document.createElement("iframe")
      this.frame.name = name
      this.frame.hidden = true
      this.ready = new Promise(done => { this.frame.addEventListener("load", done, { once: true }) })
      window.addEventListener("message", ({ data }) => {
        if (data === null || typeof data !== "object" || data.frame !== name) return
        const message = new MessageEvent("message", { data: data.data })
        this.dispatchEvent(message)
        if (this.onmessage) this.onmessage(message)
      })
      const source = new URL(url, document.baseURI).href.replaceAll('"', "%22")
      this.frame.srcdoc = `<!doctype html><script>${inside}</script><script src="${source}"></script>`
      document.body.append(this.frame)
    }
    postMessage(data) {
      this.ready.then(() => {
        const target = this.frame.contentWindow
        target.dispatchEvent(new target.MessageEvent("message", { data }))
      })
    }
    terminate() {
      this.frame.remove()
    }
  }
}
