// Loaded into the language server before anything else: it can reach no network, and says so when it tries.

import net from 'node:net'

net.Socket.prototype.connect = function (...where) {
  throw new Error(`the editor tests have no network, and this was asked for: ${JSON.stringify(where[0])}`)
}
