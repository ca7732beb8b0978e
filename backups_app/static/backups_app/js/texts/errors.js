/** When the service answers nothing that can be shown. */

import { _ } from "../catalog.js";

export const errors = {
  unreachable: {
    code: "UNREACHABLE",
    message: _("The service does not answer"),
    hint: _(
      "Check that Tarkeep is running and that this computer has a connection. This page keeps trying.",
    ),
  },
  unexplained: (status) => ({
    message: _("The service answered {status} without saying why", { status }),
    hint: _("Look at its log, logs/app.log, for the reason. This page keeps trying."),
  }),
};
