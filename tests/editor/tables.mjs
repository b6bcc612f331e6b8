// Reads the tables of mappings/README.md, which are written from the same code as the schemas but by another way.

// { actions: name → { summary, fields: name → documentation }, directives: `$name` → { docs, example } }
export function tables(page) {
  const actions = new Map()
  const directives = new Map()
  for (const section of page.split(/^(?=#{2,3} )/m)) {
    const [heading, ...lines] = section.split('\n')
    const action = /^### `(\w+)`$/.exec(heading)
    // What only reads stands in no mapping, so an editor must not offer it.
    const reads = lines.includes('Only reads: by hand, not in mappings.')
    if (action && !reads) actions.set(action[1], { summary: lines.join('\n').trim(), fields: new Map([...cells(lines, 4)].map(([name, row]) => [name, row[3]])) })
    if (heading === '## Directives') for (const [name, row] of cells(lines, 3)) directives.set(name, { docs: row[1], example: code(row[2]) })
  }
  if (!actions.size || !directives.size) throw new Error('mappings/README.md has no tables of actions and directives')
  return { actions, directives }
}

// The rows of tables of so many columns, by the name in their first cell.
function cells(lines, columns) {
  const rows = lines.filter(line => line.startsWith('| `')).map(line => line.slice(2, -2).split(/ (?<!\\)\| /).map(text))
  return new Map(rows.filter(row => row.length === columns).map(row => [code(row[0]), row]))
}

const text = cell => cell.replaceAll('\\|', '|').replace(/ An explicit `null` clears it\.$/, '').trim()

const code = cell => /`([^`]+)`/.exec(cell)[1]
