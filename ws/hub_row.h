/* The row that a change is of, for those whose waiting frames may be replaced by newer ones. */
#ifndef WALCAST_WS_HUB_ROW_H
#define WALCAST_WS_HUB_ROW_H

#include "ws/row.h"

#define HUB_ROW_KEY_MAX ((size_t)64 << 10) /* a longer key's frames are never replaced */

/* Of a frame for these bindings (any bytes that tell the sets apart). `left`: the frame says that
 * the row left them. `room` is reset and used. NULL, and the frame stays what it is: the table has
 * no key, or replica identity full, which does not say what the key is; the key is too long; a key
 * changed in a row that came in part; memory is out. */
ws_row *hub_row_new(const core_change *change, core_slice bindings, bool left, core_buffer *room);

#endif
