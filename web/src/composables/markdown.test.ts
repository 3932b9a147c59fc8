import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'
import { renderMarkdown } from './markdown'

const shown = (text: string) =>
  mount({ render: () => renderMarkdown(text, (name) => `Image: ${name}`) }, { attachTo: 'body' })
    .element.parentElement as HTMLElement

/** What a text becomes, without what is the same for every element. */
function html(text: string): string {
  document.body.innerHTML = ''
  return shown(text)
    .innerHTML.replace(/ (dir|class|target|rel|data-v-app)="[^"]*"/g, '')
    .replace(/^<div>|<\/div>$|<!--.*?-->/g, '')
}

describe('markdown', () => {
  it.each([
    [
      '**bold** *soft* ~~gone~~ `code`',
      '<p><strong>bold</strong> <em>soft</em> <s>gone</s> <code>code</code></p>',
    ],
    ['one\ntwo', '<p>one<br>two</p>'],
    ['# Top\n## Next', '<h3>Top</h3><h4>Next</h4>'],
    ['- a\n- b', '<ul><li>a</li><li>b</li></ul>'],
    ['3. c\n4. d', '<ol start="3"><li>c</li><li>d</li></ol>'],
    ['> said', '<blockquote><p>said</p></blockquote>'],
    ['```js\na < b\n```', '<pre><code>a &lt; b\n</code></pre>'],
    ['[to](https://example.com/x)', '<p><a href="https://example.com/x">to</a></p>'],
    ['[path](/status)', '<p><a href="/status">path</a></p>'],
    [
      'see https://example.com now',
      '<p>see <a href="https://example.com">https://example.com</a> now</p>',
    ],
    ['readme.md and a@example.com', '<p>readme.md and a@example.com</p>'],
    [
      '| a | b |\n|---|--:|\n| 1 | 2 |',
      '<table><thead><tr><th>a</th><th data-align="right">b</th></tr></thead><tbody><tr><td>1</td><td data-align="right">2</td></tr></tbody></table>',
    ],
  ])('%j', (text, wanted) => {
    expect(html(text)).toBe(wanted)
  })
})

describe('what a sender could try', () => {
  const HOSTILE = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<a href="javascript:alert(1)">x</a>',
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](java&#x0A;script:alert(1))',
    '[x](&#106;avascript:alert(1))',
    '[x](data:text/html;base64,PHNjcmlwdD4=)',
    '[x](vbscript:x)',
    '[x](//evil.example)',
    '[x](/\\\\evil.example)',
    '[x](/%09/evil.example)',
    '[x]: javascript:alert(1)\n\n[x]',
    '<javascript:alert(1)>',
    '![x](javascript:alert(1))',
    '![x](https://example.com/pixel.png)',
    '[x](https://example.com "\\" onmouseover=\\"alert(1)")',
    '`` ` onmouseover=alert(1) ` ``',
    '```" onmouseover="alert(1)\nx\n```',
    '{{ constructor.constructor("alert(1)")() }}',
  ]
  it.each(HOSTILE)('%j runs nothing and leads nowhere else', (text) => {
    document.body.innerHTML = ''
    const root = shown(text)
    expect(root.querySelector('script, img, iframe, object, style, svg')).toBeNull()
    for (const element of root.querySelectorAll('*')) {
      for (const { name } of element.attributes) expect(name).not.toMatch(/^on|^style|^src/)
    }
    for (const link of root.querySelectorAll('a')) {
      expect(link.getAttribute('href')).toMatch(/^(https:\/\/example\.com|\/(?![/\\]))/)
      expect(link.getAttribute('rel')).toBe('noopener noreferrer')
    }
  })

  it('shows an image as a link, and loads nothing', () => {
    expect(html('![a cat](https://example.com/cat.png)')).toBe(
      '<p><a href="https://example.com/cat.png">Image: a cat</a></p>',
    )
  })

  it('survives text that nests as deep as it can', () => {
    const started = performance.now()
    shown('>'.repeat(8_000))
    shown('[('.repeat(8_000))
    shown('*a '.repeat(5_000))
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})
