// A client of yaml-language-server over stdio: what an editor asks, as promises.

import { spawn } from 'node:child_process'
import { pathToFileURL } from 'node:url'

const ANSWER_MS = 30_000

// What an editor's settings say. Nothing is fetched: schemas come from the file's own first line alone.
const SETTINGS = {
  yaml: {
    validate: true,
    hover: true,
    hoverSchemaSource: false,
    completion: true,
    schemaStore: { enable: false },
    kubernetesCRDStore: { enable: false }
  },
  http: {}
}

export class Server {
  #process
  #input = Buffer.alloc(0)
  #number = 0
  #asked = new Map()
  #published = new Map()
  #gone = null

  // modules: the folder node_modules that has the server. root: the folder that is open in the editor.
  constructor(modules, root) {
    this.root = root
    const program = `${modules}/yaml-language-server/bin/yaml-language-server`
    const offline = new URL('offline.mjs', import.meta.url).href
    this.#process = spawn(process.execPath, ['--import', offline, program, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process.stdout.on('data', chunk => this.#read(chunk))
    this.#process.on('error', error => this.#end(`cannot start: ${error.message}`))
    this.#process.on('exit', (code, signal) => this.#end(`ended with ${signal ?? `status ${code}`}`))
  }

  async start() {
    const folder = { uri: pathToFileURL(this.root).href, name: 'interline' }
    const capabilities = {
      workspace: { configuration: true, workspaceFolders: true },
      textDocument: {
        hover: { contentFormat: ['markdown'] },
        completion: { completionItem: { snippetSupport: true, documentationFormat: ['markdown'] } },
        publishDiagnostics: {}
      }
    }
    await this.ask('initialize', { processId: process.pid, rootUri: folder.uri, workspaceFolders: [folder], capabilities })
    this.tell('initialized', {})
  }

  // Opens a text as the file at a path.
  open(path, text) {
    const uri = pathToFileURL(`${this.root}/${path}`).href
    const published = this.#next(this.#published, uri, `diagnostics of ${path}`)
    this.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version: 1, text } })
    return new Document(this, uri, text, published)
  }

  async stop() {
    if (this.#gone !== null) return
    await this.ask('shutdown', null)
    this.tell('exit', undefined)
    this.#process.stdin.end()
  }

  kill() {
    this.#process.kill()
  }

  ask(method, params) {
    const id = ++this.#number
    const answer = this.#next(this.#asked, id, `an answer to ${method}`)
    this.#write({ id, method, params })
    return answer
  }

  tell(method, params) {
    this.#write({ method, params })
  }

  #next(map, key, what) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${what} within ${ANSWER_MS} ms`)), ANSWER_MS)
      const done = () => { clearTimeout(late); map.delete(key) }
      map.set(key, { resolve: value => { done(); resolve(value) }, reject: error => { done(); reject(error) } })
      if (this.#gone !== null) map.get(key).reject(new Error(this.#gone))
    })
  }

  #end(why) {
    this.#gone = `the language server ${why}`
    for (const waiting of [...this.#asked.values(), ...this.#published.values()]) waiting.reject(new Error(this.#gone))
  }

  #write(message) {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }

  #read(chunk) {
    this.#input = Buffer.concat([this.#input, chunk])
    for (;;) {
      const head = this.#input.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/Content-Length: *(\d+)/i.exec(this.#input.subarray(0, head).toString())[1])
      if (this.#input.length < head + 4 + length) return
      const message = JSON.parse(this.#input.subarray(head + 4, head + 4 + length).toString())
      this.#input = this.#input.subarray(head + 4 + length)
      this.#take(message)
    }
  }

  #take({ id, method, params, result, error }) {
    if (method === undefined) {
      const waiting = this.#asked.get(id)
      if (error) waiting?.reject(new Error(error.message))
      else waiting?.resolve(result)
    } else if (method === 'textDocument/publishDiagnostics') {
      this.#published.get(params.uri)?.resolve(params.diagnostics)
    } else if (id !== undefined) {
      this.#write({ id, result: method === 'workspace/configuration' ? params.items.map(settings) : null })
    }
  }
}

function settings({ section }) {
  return section === undefined ? SETTINGS : SETTINGS[section] ?? null
}

export class Document {
  #published

  // published: what the server says of the file some time after it was opened.
  constructor(server, uri, text, published) {
    Object.assign(this, { server, uri, text })
    this.#published = published
    published.catch(() => {}) // for whoever asks; nobody may
  }

  // What the server says of the file, each as `line: message`.
  async problems() {
    const diagnostics = await this.#published
    return diagnostics.map(({ range, message }) => `${range.start.line + 1}: ${message}`)
  }

  // What is shown over an offset of the text; empty when nothing is.
  async hover(offset) {
    const shown = await this.#ask('hover', offset)
    return shown?.contents?.value ?? ''
  }

  // What is offered at an offset of the text.
  async complete(offset) {
    const offered = await this.#ask('completion', offset)
    return offered?.items ?? []
  }

  #ask(what, offset) {
    const before = this.text.slice(0, offset).split('\n')
    const position = { line: before.length - 1, character: before.at(-1).length }
    return this.server.ask(`textDocument/${what}`, { textDocument: { uri: this.uri }, position })
  }
}
