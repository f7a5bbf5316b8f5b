use std::path::Path;
use std::process::ExitCode;

use clap::{ArgAction, Args};
use tokio::runtime::Runtime;

use super::server::serve_data;
use super::settings::{ImportSettings, ServeSettings, boolean, place};
use super::{Failure, demo};
use crate::index;
use crate::store::DataLocation;

const OR_DEMO: &str = "SAGITTAL_OR_DEMO";

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where `sagittal import` put the data: a folder, file:///a/shared/folder, or s3://bucket/prefix.
    #[arg(long, env = "SAGITTAL_DATA", value_parser = place())]
    data: DataLocation,
    /// Serve the demo as long as nothing was imported into the folder.
    #[arg(long, env = OR_DEMO, value_parser = boolean(OR_DEMO), action = ArgAction::SetTrue)]
    or_demo: bool,
    /// Folder of the host that a container sees as its data folder, if one was chosen: --or-demo does not replace it.
    #[arg(long, env = "SAGITTAL_HOST_DATA_DIR", value_name = "FOLDER", default_value = "", hide_default_value = true)]
    host_data_dir: String,
    #[command(flatten)]
    settings: ServeSettings,
}

impl Serve {
    fn serves_demo(&self, data: &Path) -> bool {
        self.or_demo && self.host_data_dir.is_empty() && !index::path_in(data).exists()
    }
}

pub(super) fn run(serve: &Serve, runtime: &Runtime) -> Result<ExitCode, Failure> {
    match &serve.data {
        DataLocation::Folder(data) if serve.serves_demo(data) => {
            tracing::info!("nothing was imported into {} yet: this will be the demo", data.display());
            demo::serve(None, &ImportSettings::default(), &serve.settings, true, runtime)
        }
        data => {
            runtime.block_on(serve_data(data, &serve.settings, |_| Ok(())))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
