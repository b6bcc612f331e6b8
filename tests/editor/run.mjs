#!/usr/bin/env node
// Asks yaml-language-server what an editor would about our YAML files and their schemas, and asserts its answers.
// The last line reads "N passed, N failed". `tests/run` calls it.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { checks } from './checks.mjs'
import { Server } from './server.mjs'

const USAGE = `usage: tests/editor/run.mjs [--modules FOLDER] [--only WORD] [--show FILE:LINE:COLUMN]

  --modules   where the npm packages are (target/editor/node/node_modules)
  --only      the checks whose name has this word
  --show      instead: what an editor shows over a place of a file, and what it offers there`

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

async function main() {
  const text = { type: 'string' }
  const options = { modules: text, only: text, show: text, help: { type: 'boolean' } }
  const { values } = parseArgs({ options })
  if (values.help) return console.log(USAGE)
  const modules = resolve(values.modules ?? `${root}/target/editor/node/node_modules`)
  if (!existsSync(modules)) throw new Error(`there is no ${modules}; tests/run --only editor installs it`)
  const server = new Server(modules, root)
  try {
    await server.start()
    await (values.show ? show(server, values.show) : run(server, values.only ?? ''))
    await server.stop()
  } finally {
    server.kill()
  }
}

async function run(server, word) {
  let passed = 0
  let failed = 0
  const chosen = checks(root).filter(({ name }) => name.includes(word))
  // All at once: the server waits a moment before it says anything of a file.
  const results = await Promise.allSettled(chosen.map(async ({ check }) => check(server)))
  for (const [at, { name }] of chosen.entries()) {
    const { status, reason } = results[at]
    if (status === 'fulfilled') passed += 1
    else failed += 1
    console.log(status === 'fulfilled' ? `  ok      ${name}` : `  FAILED  ${name}\n${indented(reason.message)}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  if (failed || !passed) process.exitCode = 1
}

const indented = text => text.replace(/^/gm, '          ')

async function show(server, place) {
  const [, file, line, column] = /^(.+):(\d+):(\d+)$/.exec(place) ?? []
  if (!file) throw new Error('--show takes FILE:LINE:COLUMN')
  const text = readFileSync(resolve(root, file), 'utf8')
  const before = text.split('\n').slice(0, line - 1).map(one => one.length + 1)
  const offset = before.reduce((sum, length) => sum + length, 0) + Number(column) - 1
  const document = server.open(file, text)
  const problems = await document.problems()
  console.log(problems.map(problem => `problem  ${problem}`).join('\n'))
  console.log(`shown\n${await document.hover(offset)}\noffered`)
  for (const { label, documentation } of await document.complete(offset)) {
    console.log(`  ${label}\n      ${(documentation?.value ?? documentation ?? '').replace(/\n+/g, ' ')}`)
  }
}

await main().catch(error => {
  console.error(error.message)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
})
