/**
 * OTLP over HTTP, protobuf or JSON: the official encoders and one request. The official HTTP exporters are not used
 * because they retry within themselves for their whole timeout, which nobody can stop, and keep Retry-After and the
 * refused part to themselves; delivery needs all three.
 */

import { readFileSync } from 'node:fs'
import { describeError } from '../base/errors.ts'
import type { OtlpTarget, TlsFiles } from '../config/config.ts'
import { showText } from '../config/kinds.ts'
import { keepLoopbackDirect } from '../config/otlp-environment.ts'
import { scope } from '../telemetry/provider.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { checkCredentials, type Exporter, type Outcome, unanswered } from './exporter.ts'
import { jsonSerializers, protobufSerializers } from './serializers.ts'

const retryable = new Set([429, 502, 503, 504])
const answerLimit = 4 * 1024 * 1024
const userAgent = `${scope.name}/${scope.version} OTel-OTLP-Exporter-JavaScript`

export function openHttp<T extends SignalType>(type: T, otlp: OtlpTarget): Exporter<T> {
  keepLoopbackDirect()
  const { protocol, timeoutMs } = otlp
  const serializer = (protocol === 'http/json' ? jsonSerializers : protobufSerializers)[type]
  const compress = otlp.compression === 'gzip'
  const headers = {
    'user-agent': userAgent,
    ...otlp.headers,
    'content-type': protocol === 'http/json' ? 'application/json' : 'application/x-protobuf',
    ...(compress ? { 'content-encoding': 'gzip' } : {}),
  }
  const tls = readTls(otlp.tls)
  return {
    async send(payload, deadline) {
      const bytes = new Uint8Array(serializer.serialize(payload))
      const body = compress ? Bun.gzipSync(bytes) : bytes
      const { signal, release } = withTimeout(deadline, timeoutMs)
      try {
        const response = await fetch(otlp.url, { method: 'POST', headers, body, signal, redirect: 'manual', ...tls })
        const answer = await readAnswer(response)
        return response.ok ? serializer.readAnswer(answer) : failure(response, answer)
      } catch (error) {
        return unanswered(signal.aborted ? noAnswer(deadline, timeoutMs) : describeError(error))
      } finally {
        release()
      }
    },
    close() {},
  }
}

function failure(response: Response, answer: Uint8Array): Outcome {
  const { status } = response
  const words = /json|text/.test(response.headers.get('content-type') ?? '') ? new TextDecoder().decode(answer) : ''
  const reason = `HTTP ${status} ${words.slice(0, 200).trim() || response.statusText}`.trim()
  if (status === 401 || status === 403) return { status: 'held', reason, hint: checkCredentials }
  if (status >= 300 && status < 400) return { status: 'held', reason, hint: moved(response.headers.get('location')) }
  if (!retryable.has(status)) return { status: 'rejected', reason, ...(status === 413 ? { tooLarge: true } : {}) }
  const afterMs = retryAfter(response.headers.get('retry-after'))
  return { status: 'retry', reason, ...(afterMs === undefined ? {} : { afterMs }) }
}

/** Never followed: where prompts and credentials go is the user's to say. */
function moved(location: string | null): string {
  return location === null ? 'check the endpoint' : `the server points to ${showText(location)}: check the endpoint`
}

/** Seconds or an HTTP date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** An answer beyond the limit is cut: it could only be somebody else's. */
async function readAnswer(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    size += chunk.length
    if (size > answerLimit) break
  }
  return Buffer.concat(chunks)
}

function readTls({ certificate, clientKey, clientCertificate }: TlsFiles) {
  const tls = {
    ...(certificate === undefined ? {} : { ca: readFileSync(certificate, 'utf8') }),
    ...(clientKey === undefined ? {} : { key: readFileSync(clientKey, 'utf8') }),
    ...(clientCertificate === undefined ? {} : { cert: readFileSync(clientCertificate, 'utf8') }),
  }
  return Object.keys(tls).length === 0 ? {} : { tls }
}

/** `deadline` or the timeout, whichever is first; `release` leaves no timer behind. */
function withTimeout(deadline: AbortSignal, timeoutMs: number): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const timer = setTimeout(abort, timeoutMs)
  timer.unref()
  if (deadline.aborted) abort()
  deadline.addEventListener('abort', abort, { once: true })
  const release = () => {
    clearTimeout(timer)
    deadline.removeEventListener('abort', abort)
  }
  return { signal: controller.signal, release }
}

function noAnswer(deadline: AbortSignal, timeoutMs: number): string {
  return deadline.aborted ? 'no answer before the deadline' : `no answer within ${timeoutMs} ms`
}
