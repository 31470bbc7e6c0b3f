//! What agents and sessions need to know about models, from the operator's table.

use std::sync::Arc;

use hostler_domain::catalog::ModelCatalog;
use hostler_protocol::agent::{ModelFacts, ModelLookup};

pub(crate) fn model_lookup(catalog: &Arc<ModelCatalog>) -> Arc<ModelLookup> {
    let catalog = Arc::clone(catalog);
    Arc::new(move |id: &str| {
        catalog.find(id).map(|model| ModelFacts {
            default_effort: model.default_effort,
            efforts: model.efforts.clone(),
            supports_fast: model.supports_fast,
            // The table doesn't say; a session that asks for a place is refused by name.
            supports_inference_geo: true,
        })
    })
}
