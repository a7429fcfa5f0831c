"""One file a page: its routes and what its template shows. In: a visit. Out: HTML."""

from tocsin.console.pages import (
    alert,
    approvals,
    case,
    cases,
    counters,
    coverage,
    entity,
    leases,
    packs,
    palette,
    queue,
    rule,
    rule_backtest,
    rule_exceptions,
    rule_ledger,
    rule_life,
    rule_promotion,
    rules,
    run,
    search,
    sign_in,
    sources,
)

PAGES = tuple(
    page.router
    for page in (
        sign_in,
        queue,
        alert,
        entity,
        search,
        cases,
        case,
        approvals,
        leases,
        run,
        sources,
        coverage,
        packs,
        rules,
        rule_promotion,
        rule_life,
        rule_exceptions,
        rule_ledger,
        rule_backtest,
        rule,
        counters,
        palette,
    )
)
