// What an editor must make of our files: each check is a name and what is asked.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'

import { tables } from './tables.mjs'

const CURSOR = '‸'
const DESTINATION = '# yaml-language-server: $schema=../schemas/destination.schema.json\n'
const SETTINGS = '# yaml-language-server: $schema=../schemas/settings.schema.json\n'

// The mistakes of a text, each with what must be said of it. `at` is the line after the first.
const MISTAKES = [
  ['a key', 'enabeld: true', 'Property enabeld is not allowed.'],
  ['a truth value of older YAML', 'enabled: yes', 'expected true or false'],
  ['another destination', 'destination: intrcom', 'Value is not accepted. Valid values: "intercom".'],
  ['a region', 'settings: { access_token: t, region: usa }', 'Value is not accepted. Valid values: "us", "eu", "au".'],
  ['a setting', 'settings: { access_token: t, regoin: us }', 'Property regoin is not allowed.'],
  ['no token', 'settings: { region: us }', 'Missing property "access_token".'],
  ['a policy', 'on_invalid: refuse', 'Value is not accepted. Valid values: "drop", "reject".']
]

// The same for one mapping, which has a name and an action if it does not say otherwise.
const MAPPING_MISTAKES = [
  ['a key of a mapping', 'tirgger: type = "track"', 'Property tirgger is not allowed.'],
  ['an action', 'action: trak_event', 'Value is not accepted. Valid values: '],
  ['a field', 'fields: { emial: x }', 'Property emial is not allowed.'],
  ['a field of another action', 'fields: { phone: $.traits.phone }', 'Property phone is not allowed.'],
  ['an address', 'fields: { email: nobody }', 'expected an e-mail address, a path ($.…), a template ({{ … }}) or a directive'],
  ['a date', 'fields: { created_at: soon }', 'expected a date (2026-01-31, '],
  ['a word', 'fields: { nested: flaten }', 'Value is not accepted. Valid values: "flatten", "stringify", "drop".'],
  ['text for an object', 'fields: { metadata: x }', 'expected an object, a path ($.…), a template ({{ … }}) or a directive'],
  ['an object for text', 'fields: { event_name: { a: 1 } }', 'unknown directive; there are $'],
  ['what cannot be unset', 'fields: { created_at: null }', 'Incorrect type.'],
  ['a directive', 'fields: { email: { $frist: [] } }', 'unknown directive; there are $'],
  ['a directive further in', 'fields: { metadata: { plan: { $frist: [] } } }', 'unknown directive; there are $'],
  ['a directive with a neighbour', 'fields: { metadata: { $first: [ $.a ], b: 1 } }', 'a directive stands alone'],
  ['an argument of a directive', 'fields: { email: { $if: { exists: $.userId, thn: a@b.co } } }', 'Property thn is not allowed.'],
  ['no fields, and no defaults', 'defaults: false', 'Missing property "fields".'],
  ['a field missing, and no defaults', 'defaults: false\n    fields: { event_name: x }', 'Missing property "created_at".']
]

// What is right, however odd, and must not be complained of.
const FINE = [
  'enabled: ${ENABLED}',
  'settings: { access_token: "${TOKEN}", region: "${REGION}", match_by_email: "${MATCH}", concurrency: "${MANY}" }',
  'settings: { access_token: t, base_url: http://127.0.0.1:8080 }',
  'sources: [website]\ntests:'
]
const MAPPING_FINE = [
  'fields:',
  'fields: { email: null, revenue: 5, currency: "{{ properties.currency }}" }',
  'fields: { metadata: { a: { $first: [ $.a, { b: [ 1, null ] } ] }, $price: 1, b: true } }',
  'fields: { email: { "@path": $.properties.email } }',
  'fields: { created_at: 2026-01-31, user_id: 17, keep: [ a, b ] }',
  'fields: { nested: "{{ properties.nested }}" }\n    on_invalid: reject'
]

export function checks(root) {
  const read = path => readFileSync(`${root}/${path}`, 'utf8')
  const { actions, directives } = tables(read('mappings/README.md'))
  return [
    ...shipped(root).map(path => named(`${path} is fine`, async server => {
      const document = server.open(path, read(path))
      assert.match(document.text, /^# yaml-language-server: \$schema=\.\.\/schemas\//, 'the first line names no schema')
      assert.deepEqual(await document.problems(), [])
    })),
    ...MISTAKES.map(([what, line, said]) => mistake(what, destination(line), said)),
    ...MAPPING_MISTAKES.map(([what, lines, said]) => mistake(what, mapping('track_event', lines), said)),
    ...FINE.map(lines => fine(lines, destination(lines))),
    ...MAPPING_FINE.map(lines => fine(lines, mapping('track_event', lines))),
    offers('keys of a file', `${DESTINATION}${CURSOR}\n`, items => {
      for (const key of ['destination', 'settings', 'mappings', 'tests']) assert.ok(items.has(key), `no ${key}`)
    }),
    offers('destinations', `${DESTINATION}destination: ${CURSOR}\n`, items => assert.deepEqual([...items.keys()], ['intercom'])),
    offers('regions, each with its meaning', destination(`settings:\n  region: ${CURSOR}`), items => {
      assert.deepEqual([...items.keys()], ['us', 'eu', 'au'])
      assert.match(items.get('eu'), /European Union/)
    }),
    offers('actions, each with what it does', mapping(CURSOR, ''), items => {
      assert.deepEqual([...items.keys()].sort(), [...actions.keys()].sort())
      for (const [action, { summary }] of actions) assert.ok(summary.startsWith(items.get(action)), items.get(action))
    }),
    offers('triggers', mapping('track_event', `trigger: ${CURSOR}`), items => assert.ok(items.has('type = "track"'))),
    offers('members of an event', `${DESTINATION}tests:\n  - event:\n      ${CURSOR}\n`, items => {
      for (const key of ['type', 'userId', 'properties']) assert.ok(items.has(key), `no ${key}`)
    }),
    ...[...actions].flatMap(([action, { fields }]) => [
      offers(`exactly the fields of ${action}`, mapping(action, `fields:\n      ${CURSOR}`), items =>
        assert.deepEqual([...items.keys()].sort(), [...fields.keys()].sort())),
      shows(`the documentation of each field of ${action}`, [...fields], ([field]) =>
        mapping(action, `fields: { ${CURSOR}${field}: $.x }`))
    ]),
    offers('directives where a value is wanted', mapping('track_event', `fields:\n      email:\n        ${CURSOR}`), items => {
      for (const [directive] of directives) assert.ok(items.has(directive), `no ${directive}`)
    }),
    offers('arguments of a directive', mapping('track_event', `fields:\n      email:\n        $if:\n          ${CURSOR}`), items =>
      assert.deepEqual([...items.keys()].sort(), ['blank', 'else', 'exists', 'then'])),
    ...[...directives.values()].map(({ example }) =>
      fine(example, mapping('track_event', `fields: { revenue: ${example} }`))),
    shows('the documentation of each directive', [...directives].map(([name, { docs, example }]) => [name, docs, example]),
      ([name, , example]) => {
        const used = example.includes(name) ? example : `{ ${name}: ${example} }`
        return mapping('track_event', `fields: { revenue: ${used.replace(name, CURSOR + name)} }`)
      }),
    mistake('a setting of the service', `${SETTINGS}ingest: { listne: 0.0.0.0:1 }\n`, 'Property listne is not allowed.'),
    mistake('a number of the service', `${SETTINGS}ingest: { workers: many }\n`, 'expected a whole number'),
    fine('variables in settings of the service', `${SETTINGS}ingest: { workers: "\${WORKERS}" }\nadmin: { token: "\${file:/run/secrets/token}" }\n`),
    offers('settings of the service', `${SETTINGS}ingest:\n  ${CURSOR}\n`, items => {
      assert.match(items.get('listen') ?? '', /\w/, 'listen is not offered, or has no documentation')
    })
  ]
}

const named = (name, check) => ({ name, check })

// Our YAML files: all that we ship, and the sample settings.
function shipped(root) {
  const yaml = folder => readdirSync(`${root}/${folder}`).filter(name => name.endsWith('.yaml')).map(name => `${folder}/${name}`)
  return [...yaml('mappings'), 'deploy/interline.yaml'].sort()
}

// A destination file with these lines in it, and what else it needs.
function destination(lines) {
  const rest = { destination: 'intercom', settings: '{ access_token: t, region: us }', mappings: '[]' }
  const missing = Object.entries(rest).filter(([key]) => !new RegExp(`^${key}:`, 'm').test(lines))
  return `${DESTINATION}${lines}\n${missing.map(([key, value]) => `${key}: ${value}\n`).join('')}`
}

// A destination file with one mapping that has these lines.
function mapping(action, lines) {
  const own = /^action:/.test(lines) ? '' : `    action: ${action}\n`
  return destination(`mappings:\n  - name: one\n${own}    ${lines}`)
}

let opened = 0

// Opens a text as a new file in mappings/. Returns it with the place of the cursor, which is taken out.
function open(server, text) {
  const document = server.open(`mappings/editor-check-${opened += 1}.yaml`, text.replace(CURSOR, ''))
  return { document, offset: text.indexOf(CURSOR) }
}

function mistake(what, text, said) {
  return named(`a mistake is named: ${what}`, async server => {
    const { document } = open(server, text)
    const problems = await document.problems()
    assert.ok(problems.some(problem => problem.includes(said)), `not said: ${said}\nbut: ${problems.join('\n')}\nof\n${text}`)
    assert.equal(problems.length, 1, `said besides: ${problems.join('\n')}\nof\n${text}`)
  })
}

function fine(what, text) {
  return named(`no complaint: ${what.replace(/\n */g, ' ⏎ ')}`, async server => {
    const { document } = open(server, text)
    assert.deepEqual(await document.problems(), [], text)
  })
}

// `judge` gets the documentation of what is offered, by label. Whole values that could be pasted are not looked at.
function offers(what, text, judge) {
  return named(`offered: ${what}`, async server => {
    const { document, offset } = open(server, text)
    const items = await document.complete(offset)
    const whole = /^["{]|^(null|object)$/
    const documentation = ({ documentation }) => documentation?.value ?? documentation ?? ''
    judge(new Map(items.filter(({ label }) => !whole.test(label)).map(item => [item.label, documentation(item)])))
  })
}

// Descriptions in schemas are plain text.
const plain = text => text.replaceAll(/[`*]/g, '')

// Each row is a name and the documentation that must be shown over it in the text that `write` makes of the row.
function shows(what, rows, write) {
  return named(`shown: ${what}`, async server => {
    for (const row of rows) {
      const { document, offset } = open(server, write(row))
      const shown = await document.hover(offset + 1)
      assert.ok(plain(shown).includes(plain(row[1])), `over ${row[0]} is shown\n${shown}\ninstead of\n${row[1]}`)
    }
  })
}
