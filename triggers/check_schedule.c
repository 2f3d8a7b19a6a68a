/* A schedule held against what cron expressions and the tz database are. */
#include "triggers/check_private.h"
#include "triggers/timetable.h"

void triggers_check_schedule(const triggers_definition *definition, const core_document *document,
                             core_problems *problems) {
    const triggers_schedule *schedule = &definition->schedule;
    const core_node *on = core_node_find(core_document_root(document), "on");
    const core_node *expression = core_node_find(on, "cron");
    const core_node *time_zone = core_node_find(on, "time_zone");
    triggers_cron cron;
    core_error error = {.text = ""};
    if (!triggers_cron_read(schedule->expression, &cron, &error)) {
        (void)core_problem_tell(problems, expression->place, "%s", error.text);
        return;
    }
    triggers_zone *zone = triggers_zone_open(TRIGGERS_ZONE_DIRECTORY, schedule->time_zone, &error);
    if (zone == NULL)
        (void)core_problem_tell(problems, (time_zone != NULL ? time_zone : expression)->place, "%s",
                                error.text);
    triggers_zone_free(zone);
}
