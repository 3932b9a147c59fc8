import MarkdownIt, { type Token } from 'markdown-it'
import { h, type VNode } from 'vue'
import { isSafeLink } from './safeLink'

type Nodes = (VNode | string)[]

/** What a text may become. Any other token is shown as the text that it holds. */
const ELEMENTS: Record<string, string> = {
  paragraph: 'p',
  blockquote: 'blockquote',
  bullet_list: 'ul',
  ordered_list: 'ol',
  list_item: 'li',
  table: 'table',
  thead: 'thead',
  tbody: 'tbody',
  tr: 'tr',
  th: 'th',
  td: 'td',
  strong: 'strong',
  em: 'em',
  s: 's',
}

/** Each is written in a direction of its own, as its first letters are. */
const BLOCKS = new Set(['p', 'blockquote', 'li', 'th', 'td'])

/** The page has its own title and the message's above these. */
const TOP_HEADING = 3

// Raw HTML stays text. A line's end is one, as whoever writes a message expects.
const parser = new MarkdownIt({ html: false, linkify: true, breaks: true })
parser.validateLink = isSafeLink
// Without a scheme "readme.md" would lead to Moldova.
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false })

/**
 * Renders markdown to nodes, never to markup: nothing that a sender writes is parsed as HTML.
 * @param describe names an image, which is shown as a link, for loading it would tell its host who reads
 */
export function renderMarkdown(text: string, describe: (image: string) => string): Nodes {
  return render(parser.parse(text, {}), describe)
}

function render(tokens: Token[], describe: (image: string) => string): Nodes {
  const [root, open]: [Nodes, { token: Token; into: Nodes }[]] = [[], []]
  const into = () => open.at(-1)?.into ?? root
  for (const token of tokens) {
    if (token.nesting === 1) open.push({ token, into: [] })
    else if (token.nesting === -1) {
      const done = open.pop()
      if (done) into().push(...element(done.token, done.into))
    } else into().push(...leaf(token, describe))
  }
  return root
}

/** The element that a pair of tokens stands for, around what came between them. */
function element(token: Token, children: Nodes): Nodes {
  // A list without empty lines has no paragraphs.
  if (token.hidden) return children
  const name = token.type.replace(/_open$/, '')
  if (name === 'link') return [link(attribute(token, 'href'), children)]
  if (name === 'heading') {
    const level = Math.min(6, TOP_HEADING - 1 + Number(token.tag.slice(1)))
    return [h(`h${level}`, { dir: 'auto' }, children)]
  }
  const tag = ELEMENTS[name]
  if (!tag) return children
  const align = attribute(token, 'style').replace('text-align:', '')
  return [
    h(
      tag,
      {
        ...(BLOCKS.has(tag) ? { dir: 'auto' } : {}),
        ...(tag === 'ol' ? { start: attribute(token, 'start') || null } : {}),
        ...(align ? { 'data-align': align } : {}),
      },
      children,
    ),
  ]
}

function leaf(token: Token, describe: (image: string) => string): Nodes {
  switch (token.type) {
    case 'inline':
      return render(token.children ?? [], describe)
    case 'code_inline':
      return [h('code', { dir: 'ltr' }, token.content)]
    case 'fence':
    case 'code_block':
      return [h('pre', { dir: 'ltr' }, h('code', token.content))]
    case 'softbreak':
    case 'hardbreak':
      return [h('br')]
    case 'hr':
      return [h('hr')]
    case 'image': {
      const url = attribute(token, 'src')
      return [link(url, [describe(token.content || url)])]
    }
    default:
      return [token.content]
  }
}

function link(href: string, children: Nodes): VNode {
  return h('a', { href, class: 'link', target: '_blank', rel: 'noopener noreferrer' }, children)
}

const attribute = (token: Token, name: string) => String(token.attrGet(name) ?? '')
