"""Table of the routes below `/_sim/`; docs/simulator.md describes them."""

from wxasset.simulator.control import clock, faults, journal, library, page, platform, settings, staging
from wxasset.simulator.control.routes import Route, done

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    Route("POST", "faults", faults.add_fault, faults.AddFault),
    Route("GET", "faults", faults.list_faults),
    Route("DELETE", "faults", done(lambda simulator: simulator.clear_faults())),
    Route("GET", "journal", journal.read_journal, journal.Conditions),
    Route("GET", "journal/wait", journal.wait_for_entries, journal.Wait),
    Route("DELETE", "journal", journal.delete_entries, journal.Conditions),
    Route("POST", "reset", done(lambda simulator: simulator.reset())),
    Route("POST", "advance", clock.advance, clock.Advance),
    Route("GET", "state", library.show_state, settings.OfAccount),
    *(Route("GET", name, page.show_file, open=True) for name in page.PAGE_FILES),
    Route("GET", "choices", page.show_choices),
    Route("GET", "overview", page.show_overview, settings.OfAccount),
    Route("GET", "items", page.show_items, page.Listing),
    Route("GET", "health", settings.show_health, open=True),
    Route("GET", "options", settings.show_options, settings.OfAccount),
    Route("PATCH", "options", settings.change_options, dict),
    Route("GET", "accounts", settings.list_accounts),
    Route("POST", "accounts", settings.add_account, settings.AddAccount),
    Route("POST", "articles", staging.add_articles, staging.AddArticles),
    Route("POST", "materials", staging.add_material, staging.AddMaterial),
    Route("POST", "materials/in_use", staging.set_in_use, staging.SetInUse),
    Route("POST", "media", staging.add_medium, staging.AddMedium),
    Route("POST", "voices", staging.add_voice, staging.AddVoice),
    Route("POST", "cloud_files", staging.add_cloud_file, staging.AddCloudFile),
    Route("GET", "bytes", staging.read_bytes, staging.OneId),
    Route("DELETE", "bytes", staging.remove, staging.OneId),
    Route("POST", "tokens/cloudbase", platform.push_cloudbase_token, settings.OfAccount),
    Route("POST", "tokens/revoke", platform.revoke_tokens, settings.OfAccount),
    Route("POST", "tokens/expire", platform.expire_tokens, settings.OfAccount),
    Route("POST", "deployments", platform.deploy_hosting, settings.OfAccount),
    Route("POST", "tickets", platform.push_ticket),
    Route("GET", "authorizations", platform.list_authorizations),
    Route("POST", "authorizations", platform.authorize, platform.Authorize),
    Route("DELETE", "authorizations", platform.unauthorize, settings.OfAccount),
    Route("POST", "receiver", platform.set_receiver, platform.SetReceiver),
    Route("GET", "pushes", platform.take_pushes),
    Route("POST", "pushes", platform.deliver),
)
