import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, setLocale } from './i18n'
import { router } from './router'
import { usePreferences } from './stores/preferences'
import './main.css'

const app = createApp(App).use(createPinia()).use(i18n).use(router)

// In the reader's language from the first word on; in English where that cannot be fetched.
void setLocale(usePreferences().locale)
  .catch(() => undefined)
  .then(() => app.mount('#app'))
