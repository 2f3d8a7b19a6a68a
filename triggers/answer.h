/* Answers over HTTP: JSON, and RFC 9457 problems. */
#ifndef WALCAST_TRIGGERS_ANSWER_H
#define WALCAST_TRIGGERS_ANSWER_H

#include "core/core.h"

/* Begins a JSON answer; its body is then written with the writer. */
core_json_writer triggers_answer_json(core_route_reply *reply, unsigned status);
/* A problem; `problems` may be NULL. It takes the place of what was written. */
void triggers_answer_problem(core_route_reply *reply, unsigned status, const char *detail,
                             const core_problems *problems);
/* The status of an error's code. */
unsigned triggers_answer_status(core_error_code code);
/* The part of the path between the `index`th slash and the next, percent-decoded, as a C string.
 * False: there is none, or it has no room or is not valid. */
CORE_MUST_CHECK bool triggers_path_part(core_slice path, size_t index, char *text,
                                        size_t text_size);

#endif
