//! A script as a Job, in a cluster. It is made once for each attempt, found again by its name, and looked at
//! until it has ended.

use std::time::Duration;

use drover_api::ScriptAction;
use drover_engine::outside::job::{self, Order, Outcome};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use tracing::debug;

use super::Errand;
use crate::context::Context;
use crate::feed::Chain;

/// How long between two looks: a script takes seconds at least, and few run at a time.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// How long it may take to take a Job away that is not wanted any more.
const CLEARING: Duration = Duration::from_secs(15);

impl Errand {
    pub(super) async fn job(&self, context: &Context, script: &ScriptAction) -> Result<(), String> {
        let order = self.order();
        let wanted = job::build(script, &order)?;
        let api: Api<Job> = Api::namespaced(context.client.clone(), &self.namespace);
        let limit = self.limit();
        let whole = Self::to_its_end(context, &api, &wanted, &order);
        if let Ok(result) = tokio::time::timeout(limit, whole).await {
            return result;
        }
        Self::leads(context)?;
        let name = job::name(&order);
        let gone = api.delete(&name, &DeleteParams::background()).await;
        let left = gone.err();
        let left = left.map(|error| format!("; its Job {name} stays: {}", Chain(&error)));
        Err(format!(
            "it took longer than {} seconds{}",
            self.limit().as_secs(),
            left.unwrap_or_default()
        ))
    }

    /// The outer limit of an attempt that ends its Job itself.
    pub(super) fn limit_of_job(&self) -> Duration {
        self.limit() + CLEARING
    }

    fn order(&self) -> Order<'_> {
        Order {
            key: &self.key,
            epoch: self.epoch,
            attempt: self.attempt,
            namespace: &self.namespace,
            run: self.run.clone(),
            plan: &self.plan,
            action: self.action.name.as_str(),
            limit: self.limit(),
            about: &self.about,
        }
    }

    /// The attempt before this one took too long; where its Job still goes on, it is ended, so that no two
    /// of them work at the same time.
    async fn without_former(
        context: &Context,
        api: &Api<Job>,
        order: &Order<'_>,
    ) -> Result<(), String> {
        let Some(former) = job::former(order) else {
            return Ok(());
        };
        let name = job::name(&former);
        loop {
            Self::leads(context)?;
            match api.get_opt(&name).await {
                Ok(None) => return Ok(()),
                Ok(Some(found)) if job::is_over(&found) => return Ok(()),
                // In the foreground: it is there for as long as its pod is.
                Ok(Some(found)) if found.metadata.deletion_timestamp.is_none() => {
                    let gone = api.delete(&name, &DeleteParams::foreground()).await;
                    gone.map(|_| ()).or_else(|error| refused(&error, &name))?;
                }
                Ok(Some(_)) => {}
                Err(error) => refused(&error, &name)?,
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// An API that does not answer is asked again: the Job may be there, and a second one must not be.
    async fn to_its_end(
        context: &Context,
        api: &Api<Job>,
        wanted: &Job,
        order: &Order<'_>,
    ) -> Result<(), String> {
        let name = job::name(order);
        Self::without_former(context, api, order).await?;
        let mut known = false;
        loop {
            Self::leads(context)?;
            match api.get_opt(&name).await {
                Ok(Some(found)) => {
                    known = true;
                    match job::judge(&found, order)? {
                        Outcome::Running => {}
                        Outcome::Succeeded => return Ok(()),
                        Outcome::Failed(why) => return Err(why),
                    }
                }
                Ok(None) if known => return Err(format!("somebody deleted its Job {name}")),
                Ok(None) => match api.create(&PostParams::default(), wanted).await {
                    Ok(_) => known = true,
                    // It came about in this moment: the next look finds it.
                    Err(kube::Error::Api(status)) if status.code == 409 => {}
                    Err(error) => refused(&error, &name)?,
                },
                Err(error) => refused(&error, &name)?,
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// Whether the API said no for good; anything else may pass.
fn refused(error: &kube::Error, name: &str) -> Result<(), String> {
    match error {
        kube::Error::Api(status) if status.code == 403 => Err(format!(
            "its Job {name} may not be made ({}): set `scripts.jobs` of the chart, or see what admission says",
            status.message
        )),
        kube::Error::Api(status) if (400..429).contains(&status.code) => {
            Err(format!("its Job {name} was refused: {}", status.message))
        }
        passing => {
            debug!(job = name, error = %Chain(passing), "the API did not answer for a Job");
            Ok(())
        }
    }
}
