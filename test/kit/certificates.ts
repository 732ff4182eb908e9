/** Certificates for the tests: an authority of our own, a server at localhost and a client that it has signed. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificates {
  /** Paths of PEM files. */
  readonly ca: string
  readonly clientKey: string
  readonly client: string
  /** What a server is started with: it asks for a certificate of this authority too. */
  readonly server: { readonly key: string; readonly cert: string; readonly ca: string }
}

/** Makes them in the folder, by the `openssl` of this machine. */
export function createCertificates(folder: string): Certificates {
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]): void => {
    const { exitCode, stderr } = Bun.spawnSync(['openssl', ...args], { cwd: folder })
    if (exitCode !== 0) throw new Error(stderr.toString())
  }
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test authority')
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  for (const name of ['server', 'client']) {
    openssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const sign = ['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    openssl(...sign, '-days', '2', '-extfile', 'names', '-out', `${name}.pem`)
  }
  const read = (name: string) => readFileSync(file(name), 'utf8')
  return {
    ca: file('ca.pem'),
    clientKey: file('client.key'),
    client: file('client.pem'),
    server: { key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem') },
  }
}
