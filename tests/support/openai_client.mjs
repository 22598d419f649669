// What OpenAI's client for Node sees of a server: one JSON object with the outcome of each thing tried.
import { createRequire } from 'node:module'

const [baseURL, packages] = process.argv.slice(2)
const OpenAI = createRequire(`${packages}/package.json`)('openai')
const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 })
const fake = (asked) => `//fake ${JSON.stringify(asked)}\n`
const complete = (prompt, more) => client.completions.create({ model: 'any', prompt, ...more })

async function joined(stream, text) {
  const parts = []
  for await (const chunk of stream) parts.push(chunk)
  return { text: parts.map((chunk) => chunk.choices.map(text).join('')).join(''), chunks: parts.length }
}

const tries = {
  async completion() {
    const answer = await complete(fake({ say: ['a + b'] }), { logprobs: 1 })
    return { text: answer.choices[0].text, tokens: answer.choices[0].logprobs.tokens, usage: answer.usage.completion_tokens }
  },
  async suffix() {
    const answer = await complete('x := ', { suffix: `\n${fake({ say: ['1'] })}` })
    return answer.choices[0].text
  },
  async several() {
    const answer = await complete(fake({ say: ['a', 'b'] }), { n: 2, stop: ['c'] })
    return answer.choices.map((choice) => choice.text)
  },
  async stream() {
    return joined(await complete(fake({ say: ['a b c'], token_s: 0.01 }), { stream: true }), (choice) => choice.text)
  },
  async chat() {
    const messages = [{ role: 'user', content: fake({ say: ['hi'] }) }]
    return (await client.chat.completions.create({ model: 'any', messages })).choices[0].message.content
  },
  async chatStream() {
    const messages = [{ role: 'user', content: fake({ say: ['hi there'] }) }]
    const stream = await client.chat.completions.create({ model: 'any', messages, stream: true })
    return joined(stream, (choice) => choice.delta.content ?? '')
  },
  async checked() {
    const before = 'package main\n\nfunc add(a, b int) int {\n\t'
    const suffix = `\n}\n${fake({ say: ['return a + b'] })}`
    const [choice] = (await complete(before, { suffix, compile_check: true })).choices
    return [choice.text, choice.goassist.verdict]
  },
  async wrongType() {
    const error = await complete('x', { n: 'two' }).catch((error) => error)
    return { name: error.constructor.name, status: error.status, param: error.param, type: error.type }
  },
  async failure() {
    const error = await complete(fake({ fail: 'gone' })).catch((error) => error)
    return { name: error.constructor.name, status: error.status, code: error.code }
  },
  async cancellation() {
    const stream = await complete(fake({ endless: true, token_s: 0.01 }), { stream: true, max_tokens: 1000000 })
    for await (const chunk of stream) {
      stream.controller.abort()
      return chunk.choices[0].text
    }
  },
  async models() {
    return (await client.models.list()).data.map((model) => model.id)
  },
}

const found = {}
for (const [name, attempt] of Object.entries(tries)) found[name] = await attempt()
console.log(JSON.stringify(found))
