import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort } from './ports'
import { Running } from './process'

const repository = resolve(import.meta.dirname, '../..')

/** The real nginx with the repository's nginx.conf, before one server. */
export class Nginx {
  readonly url: string
  private readonly plainUrl: string
  private readonly dir: string
  private running: Running | null = null

  private constructor(dir: string, plainPort: number, securePort: number) {
    this.dir = dir
    this.plainUrl = `http://127.0.0.1:${plainPort}`
    this.url = `https://127.0.0.1:${securePort}`
  }

  /** Lays out a prefix of its own, as an administrator would fill /etc/nginx. */
  static async create(parent: string, upstreamPort: number): Promise<Nginx> {
    const dir = join(parent, 'nginx')
    mkdirSync(dir)
    cpSync(join(repository, 'nginx.conf'), join(dir, 'nginx.conf'))
    cpSync(join(repository, 'deploy/nginx'), join(dir, 'deploy/nginx'), { recursive: true })
    const [plain, secure] = [await freePort(), await freePort()]
    certify(dir)
    writeSite(dir, plain, secure, upstreamPort)
    return new Nginx(dir, plain, secure)
  }

  async start(): Promise<void> {
    const args = ['-p', this.dir, '-c', join(this.dir, 'nginx.conf'), '-g', 'daemon off;']
    this.running = new Running('nginx', args)
    // The plain side, for nobody trusts the certificate of the other.
    await this.running.answers(this.plainUrl, 308)
  }

  async stop(): Promise<void> {
    await this.running?.stop()
  }
}

function certify(dir: string): void {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', join(dir, 'tls.key'), '-out', join(dir, 'tls.crt')]
  execFileSync('openssl', [...args, '-nodes', '-days', '2', ...names, ...files], { stdio: 'pipe' })
}

/** What differs from place to place: ports, paths, the certificate, the node. */
function writeSite(dir: string, plain: number, secure: number, upstream: number): void {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir}/tmp-${kind};`)
    .join('\n')
  const files = {
    'main.conf': `${process.getuid?.() === 0 ? 'user root;\n' : ''}pid ${dir}/nginx.pid;\n`,
    'events.conf': 'worker_connections 512;\n',
    'http.conf':
      `access_log ${dir}/access.log belfry;\n${temporary}\n` +
      `upstream belfry { server 127.0.0.1:${upstream} max_fails=0; keepalive 16; }\n`,
    'plain.conf': `listen 127.0.0.1:${plain};\n`,
    'tls.conf':
      `listen 127.0.0.1:${secure} ssl http2;\n` +
      `ssl_certificate ${dir}/tls.crt;\nssl_certificate_key ${dir}/tls.key;\n`,
  }
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(dir, 'deploy/nginx/site', name), text)
  }
}
