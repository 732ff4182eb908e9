/** Where releases are published: the repository that package.json names, on GitHub. */
import packageJson from '../../package.json' with { type: 'json' }

/** Without an ending, as a browser shows it. */
export const repositoryUrl = packageJson.repository.url.replace(/^git\+/, '').replace(/\.git$/, '')

/** Below it lie `download/v<version>/<file>` and, by redirect, `latest/download/<file>`. */
export const releasesUrl = `${repositoryUrl}/releases`
