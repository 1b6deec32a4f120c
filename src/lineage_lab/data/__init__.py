"""Images in, batches out: sets with a name, the reader's folders, what is kept of them decoded."""

from lineage_lab.data.sets import ImageSet as ImageSet
from lineage_lab.data.sets import Preprocessing as Preprocessing
from lineage_lab.data.sets import digits as digits
from lineage_lab.data.sets import load as load
from lineage_lab.data.sets import read_image as read_image
from lineage_lab.data.sets import split as split
from lineage_lab.data.sets import split_digits as split_digits
