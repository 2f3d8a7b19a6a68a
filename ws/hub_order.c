/* Policies, functions and grants in order with the data: what stands behind DDL in the stream is
 * held against what roles may see after it; see hub_private.h.
 *
 * The access that the hub asks is told of the DDL, and says PENDING from then on; so lanes, the
 * slow audience and joins wait each for their own role. The live classes wait for all roles in use,
 * before a change is looked up: their rules are narrowed by policies of before (hub_settle.c),
 * which would not even find who may see it now. Roles that do not catch up in time see nothing:
 * whom a change concerns is found without policies then, and must join again. */
#include "ws/hub_private.h"

/* Also where a role is late already: those that are not were narrowed again meanwhile. */
static void order_wait(ws_hub *hub) {
    hub->ordering = true;
    hub->ordering_blind = false;
}

void hub_order_note(ws_hub *hub, const core_change *change) {
    auth_access_altered(hub->access.source, change->transaction.xid);
    order_wait(hub);
}

void hub_order_begin(ws_hub *hub) {
    auth_access_renew(hub->access.source);
    order_wait(hub);
}

bool hub_order_holds(ws_hub *hub) {
    if (!hub->ordering)
        return false;
    auth_currency currency = auth_access_currency(hub->access.source);
    if (currency == AUTH_CATCHING_UP && !hub->impatient)
        return true;
    if (currency == AUTH_CURRENT) {
        hub->ordering = hub->ordering_blind = false;
        hub_unsettle(hub);
    } else if (!hub->ordering_blind) {
        hub->ordering_blind = true;
        hub_unsettle_all(hub);
    }
    return false;
}
