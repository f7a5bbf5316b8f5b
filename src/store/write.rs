use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::documents::{self, GroupFacts};
use super::{Array, GROUPS, GroupName, Store, StoreError, chunk};
use crate::volume::Volume;

impl Store {
    /// Writes every slice of one array. Nothing refers to them until the index does, so an interrupted import leaves
    /// only chunks that the next one writes again.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming the chunk.
    pub async fn write_array(&self, group: &GroupName, array: Array, volume: &Volume) -> Result<(), StoreError> {
        let planes = (0..volume.geometry.axes[0].len).map_while(|slice| Some((slice, volume.slice(slice)?)));
        let written = planes.map(|(slice, plane)| async move {
            let path = Self::slice_path(group, array, slice);
            let encoded = chunk::encode(array, plane.bytes).map_err(|error| {
                let source = object_store::Error::Generic { store: "zstd", source: Box::new(error) };
                StoreError::Write { path: path.to_string(), source }
            })?;
            self.put(&path, encoded.into()).await
        });
        stream::iter(written).buffer_unordered(self.requests_at_once()).try_collect().await
    }

    /// Writes the JSON documents that make the chunks a Zarr group; the group's own comes last.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming the document.
    pub async fn write_documents(&self, group: &GroupName, facts: &GroupFacts) -> Result<(), StoreError> {
        for (name, document) in documents::all(group.scan, facts) {
            let path = Path::from(format!("{}/{name}", group.path()));
            self.put(&path, document.to_string().into_bytes().into()).await?;
        }
        Ok(())
    }

    /// Removes a group that the index no longer refers to.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming what could not be removed.
    pub async fn remove(&self, group: &GroupName) -> Result<(), StoreError> {
        self.remove_group(&group.path()).await
    }

    /// The same by the group's path. A path that is not that of a group removes nothing.
    ///
    /// # Errors
    /// [`StoreError::Write`], naming what could not be removed.
    pub async fn remove_group(&self, path: &str) -> Result<(), StoreError> {
        if path.strip_prefix(GROUPS).is_none_or(|name| !name.ends_with(".ome.zarr")) {
            return Ok(());
        }
        let prefix = Path::from(path);
        let failed = |source| StoreError::Write { path: prefix.to_string(), source };
        let found: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await.map_err(failed)?;
        let found = stream::iter(found.into_iter().map(|object| Ok(object.location))).boxed();
        // A bucket takes a thousand in one request.
        self.objects.delete_stream(found).try_for_each(async |_| Ok(())).await.map_err(failed)
    }

    /// Paths of all groups there are, relative to the data folder, whether the index refers to them or not.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub async fn groups(&self) -> Result<Vec<String>, StoreError> {
        let prefix = Path::from(GROUPS);
        let listed = self.objects.list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|source| StoreError::Read { path: prefix.to_string(), source })?;
        Ok(listed.common_prefixes.iter().map(ToString::to_string).collect())
    }

    async fn put(&self, path: &Path, payload: PutPayload) -> Result<(), StoreError> {
        let written = self.objects.put(path, payload).await;
        written.map(drop).map_err(|source| StoreError::Write { path: path.to_string(), source })
    }
}
