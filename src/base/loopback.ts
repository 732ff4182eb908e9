/** Which names and addresses are this machine's own. */

/** Of a host without port; an IPv6 address may stand in brackets. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host)
}
