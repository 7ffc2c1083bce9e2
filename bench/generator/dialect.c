#include "dialect.h"

#include <string.h>

const struct dialect *dialect = &wxserve_dialect;

void dialect_choose(const char *name)
{
    static const struct dialect *const known[] = {
        &wxserve_dialect, &xmpp_dialect, &mqtt_dialect, &mqtt5_dialect, &nats_dialect,
        &floor_dialect,
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i]->name)) {
            dialect = known[i];
            return;
        }
    die("an unknown dialect: %s", name);
}
