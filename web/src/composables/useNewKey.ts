import { Problem, type KeyDraft, type Mapping, type NewKey } from '@client'
import { computed, reactive, ref, shallowRef } from 'vue'
import { placeRefusal, readMapping, type LineFault } from './mappingText'
import { useAdminApi } from './useAdminApi'
import { useProblem } from './useProblem'
import { useRefusal } from './useRefusal'
import type { Addressee } from '@/stores/draft'

const DAY_MS = 86_400_000

/** Something to begin with: the names are those that most systems have. */
const EXAMPLE = `{
  "title": "$.title",
  "body": "$.message",
  "severity": {
    "from": "$.status",
    "values": {"failed": "warning"},
    "default": "info"
  },
  "url": "$.url"
}`

const empty = () => ({
  name: '',
  scopes: ['notices'] as string[],
  to: [] as Addressee[],
  rate: '',
  category: '',
  /** 0 is for ever. */
  days: 0,
  caller: 'nobody' as 'nobody' | 'github' | 'custom',
  mapping: EXAMPLE,
})
type Form = ReturnType<typeof empty>

const sending = ({ scopes }: Form) => scopes.includes('notices')

/** What only a key has that sends messages. */
function draftOfSender(form: Form, mapping: Mapping | null): Partial<KeyDraft> {
  const names = (type: Addressee['type']) =>
    form.to.filter((one) => one.type === type).map(({ name }) => name)
  const everyone = names('everyone').length > 0
  const to = { users: names('user'), groups: names('group'), ...(everyone ? { everyone } : {}) }
  const [rate, category] = [form.rate.trim(), form.category.trim()]
  return {
    ...(rate ? { rate } : {}),
    ...(category ? { category } : {}),
    ...(form.to.length > 0 ? { to } : {}),
    ...(form.caller === 'github' ? { hook: 'github' } : {}),
    ...(mapping ? { mapping } : {}),
  }
}

function draftOf(form: Form, mapping: Mapping | null): KeyDraft {
  const expires = new Date(Date.now() + form.days * DAY_MS).toISOString()
  return {
    name: form.name.trim(),
    scopes: form.scopes.map((scope) => `${scope}:write` as KeyDraft['scopes'][number]),
    ...(form.days > 0 ? { expires_at: expires } : {}),
    ...(sending(form) ? draftOfSender(form, mapping) : {}),
  }
}

/** A key that is being made: what it is to do, for whom, and who calls with it. */
export function useNewKey() {
  const api = useAdminApi()
  const { covers } = useProblem()
  const refusal = useRefusal('problem.conflict')

  const form = reactive(empty())
  const error = ref('')
  const faults = shallowRef<readonly LineFault[]>([])
  const sends = computed(() => sending(form))

  /** Says of a refusal what is wrong, that of the mapping on its lines. */
  function tell(cause: unknown): void {
    const fields = cause instanceof Problem ? cause.errors : []
    const ofMapping = fields.filter(({ field }) => /^mapping\b/.test(field))
    faults.value = ofMapping.map(({ field, detail }) => placeRefusal(form.mapping, field, detail))
    if (ofMapping.length === 0 || ofMapping.length < fields.length) error.value = refusal(cause)
  }

  /** @returns the key; null where it was refused, which is told. Throws where a fresh proof is wanted. */
  async function make(): Promise<NewKey | null> {
    error.value = ''
    faults.value = []
    const mapped = sends.value && form.caller === 'custom' ? readMapping(form.mapping) : null
    if (mapped && !mapped.mapping) {
      faults.value = mapped.faults
      return null
    }
    try {
      return await api.createKey(draftOf(form, mapped?.mapping ?? null))
    } catch (cause) {
      if (cause instanceof Problem && cause.code === 'reauthentication_required') throw cause
      if (!covers(cause)) tell(cause)
      return null
    }
  }

  return { form, sends, error, faults, make }
}
