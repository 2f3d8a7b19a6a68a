/* Names in SQL. */
#ifndef WALCAST_CORE_IDENTIFIER_H
#define WALCAST_CORE_IDENTIFIER_H

#include "core/buffer.h"

/* Appends `name` quoted as an SQL identifier ("a""b"). NUL cannot occur in a PostgreSQL name: one
 * that holds it is cut there, as the server itself would. */
void core_identifier_append(core_buffer *out, core_slice name);

#endif
