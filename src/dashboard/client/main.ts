import { copyByButton } from './copy.js'
import { followPage } from './live-page.js'
import { focusFilterBySlash, selectAllByOne } from './shortcuts.js'

followPage()
focusFilterBySlash()
selectAllByOne()
copyByButton()
