import { createApp, ref } from 'vue'
import '@belfry/client/elements'

const root = document.querySelector('#app')

const app = createApp({
  setup() {
    const heard = ref([])
    const note = ref('')
    return {
      belfry: root.dataset.belfry,
      heard,
      note,
      came: ({ detail }) => heard.value.push(detail.title),
    }
  },
  template: `
    <header>
      <h1>Orders</h1>
      <belfry-bell :src="belfry" @belfry-notice="came"></belfry-bell>
    </header>
    <main>
      <label>Note <textarea v-model="note" rows="4"></textarea></label>
      <p>{{ note.length }} characters</p>
      <ul><li v-for="title in heard">Came: {{ title }}</li></ul>
    </main>
    <belfry-lock :src="belfry"></belfry-lock>`,
})
// They are not Vue's to resolve.
app.config.compilerOptions.isCustomElement = (tag) => tag.startsWith('belfry-')
app.mount(root)
