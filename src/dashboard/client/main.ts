import { copyByButton } from './copy.js'
import { followPage } from './live-page.js'
import { countMarked, focusFilterBySlash, selectAllByOne } from './shortcuts.js'

followPage()
focusFilterBySlash()
selectAllByOne()
countMarked()
copyByButton()
